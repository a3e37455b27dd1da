// Anomaly detection beside what one would try first: prints the tables of docs/anomalies.md. Usage:
//   anomalies POOLING (CHECKPOINT TEST)...
// Each checkpoint's training and validation sets, which its configuration names, hold healthy images; the baselines
// learn from the same. A test set's classes that the model doesn't know are anomalous, or its images with a mask.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>

#include "benchmarks/uses/command_line.h"
#include "data/image_set.h"
#include "data/subset.h"
#include "diffusion/metrics/detection.h"
#include "diffusion/metrics/symmetric_eigen.h"
#include "diffusion/model/checkpoint.h"
#include "diffusion/training/trainer.h"
#include "diffusion/uses/detect.h"

using namespace reverie;

namespace {

struct Method {
  std::string name;
  std::vector<double> scores;  // [N]
  Tensor maps = {};            // [N,H,W]; undefined for a score without a map
};

struct Case {
  ImageSet train, validation, test;
  DiffusionModel model;
  std::string pooling;
  Index steps;  // that the model was trained for
};

// The pooled squared error of reconstructions, and its map.
Method reconstruction(const char* name, const Case& data, const Tensor& images, const Tensor& restored) {
  const Index N = images.extent(0), H = images.extent(1), W = images.extent(2);
  const int channels[] = {3};
  Method method{name, {}, mean_axes(square(Var(images) - restored), channels).value()};
  const Pooling& pooling = find_line("pooling", poolings(), data.pooling);
  for (Index n = 0; n < N; ++n) {
    const Tensor map = method.maps.rows(n, n + 1);
    method.scores.push_back(pooling.score(map.values(), H, W));
  }
  return method;
}

// --- Brightness: how far an image's mean is from that of healthy ones, and how bright its brightest parts are.

double mean_brightness(const Tensor& image) {
  return mean_of(std::vector<double>(image.values().begin(), image.values().end()));
}

Method brightness(const Case& data) {
  const Tensor healthy = samples_of(data.train), images = samples_of(data.test);
  Method method{"mean brightness", {}};
  const double usual = mean_brightness(healthy);
  for (Index n = 0; n < images.extent(0); ++n)
    method.scores.push_back(std::abs(mean_brightness(images.rows(n, n + 1)) - usual));
  return method;
}

Method bright_parts(const Case& data) {
  const Tensor images = samples_of(data.test);
  const int channels[] = {3};
  Method method{"98th percentile of brightness", {}, mean_axes(Var(images), channels).value()};
  for (Index n = 0; n < images.extent(0); ++n) {
    const Tensor map = method.maps.rows(n, n + 1);
    std::vector<double> values(map.values().begin(), map.values().end());
    const auto place = values.begin() + static_cast<std::ptrdiff_t>(0.98 * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), place, values.end());
    method.scores.push_back(*place);
  }
  return method;
}

// --- Principal components, by subspace iteration and a small eigenproblem.

// Gram-Schmidt on the columns of x [D,k], twice for rounding.
void orthonormalise(Tensor& x) {
  const Index D = x.extent(0), k = x.extent(1);
  for (Index j = 0; j < k; ++j) {
    for (Index i = 0; i <= j; ++i) {
      for (int again = 0; again < (i < j ? 2 : 1); ++again) {
        double dot = 0;
        for (Index d = 0; d < D; ++d) dot += static_cast<double>(x[d * k + i]) * static_cast<double>(x[d * k + j]);
        for (Index d = 0; d < D; ++d) {
          if (i < j)
            x[d * k + j] -= static_cast<real>(dot) * x[d * k + i];
          else
            x[d * k + j] = static_cast<real>(static_cast<double>(x[d * k + j]) / std::sqrt(dot));
        }
      }
    }
  }
}

Method principal_components(const Case& data) {
  constexpr Index components = 16, width = 24, rounds = 12;
  const Tensor healthy = samples_of(data.train), images = samples_of(data.test);
  const Index n = healthy.extent(0), N = images.extent(0), D = healthy.size() / n;
  const int rows[] = {0};
  const Tensor mean = mean_axes(reshape(Var(healthy), {n, D}), rows, true).value();
  const Var x = reshape(Var(healthy), {n, D}) - mean, x_transposed = permute(x, {1, 0});
  Tensor basis = normal({.stream = Stream::probe}, {D, width});
  for (Index round = 0; round < rounds; ++round) {
    orthonormalise(basis);
    basis = matmul(x_transposed, matmul(x, basis)).value();
  }
  orthonormalise(basis);
  const Var along = matmul(x, basis);
  const Tensor small = matmul(permute(along, {1, 0}), along).value();
  const SymmetricEigen eigen =
      symmetric_eigen(std::vector<double>(small.values().begin(), small.values().end()), width);
  std::vector<Index> order(width);
  std::iota(order.begin(), order.end(), Index{0});
  std::sort(order.begin(), order.end(), [&](Index a, Index b) { return eigen.values[a] > eigen.values[b]; });
  Tensor chosen = Tensor::uninitialized({width, components});
  for (Index i = 0; i < width; ++i)
    for (Index j = 0; j < components; ++j)
      chosen[i * components + j] = static_cast<real>(eigen.vectors[i * width + order[j]]);
  const Var directions = matmul(basis, chosen);  // [D,components]
  const Var centred = reshape(Var(images), {N, D}) - mean;
  const Var restored = matmul(matmul(centred, directions), permute(directions, {1, 0})) + mean;
  return reconstruction("PCA, 16 components", data, images, reshape(restored, images.shape()).value());
}

// --- An autoencoder, trained by the same trainer, for as many steps as the model (at most 1,500): a network that
// restores x_0 through a bottleneck of 32 numbers.

struct Autoencoder : Network {
  Autoencoder(const Shape& sample, Index width)
      : Network(0),
        sample_(sample),
        width_(width),
        in_(parameters.root() / "in", sample[2], width, 3, {.padding = 1}),
        down_(parameters.root() / "down", width, 2 * width, 3, {.padding = 1}),
        encode_(parameters.root() / "encode", flat(), 32),
        decode_(parameters.root() / "decode", 32, flat()),
        up_(parameters.root() / "up", 2 * width, width, 3, {.padding = 1}),
        out_(parameters.root() / "out", width, sample[2], 3, {.padding = 1}),
        norm_in_(parameters.root() / "norm_in", width, 8),
        norm_down_(parameters.root() / "norm_down", 2 * width, 8),
        norm_up_(parameters.root() / "norm_up", width, 8) {}

  Var operator()(const Var& x, std::span<const double>, std::span<const Index>, const Mode&) const override {
    const Var half = avg_pool2d(norm_in_.then_silu(in_(x)), 2, 2);
    const Var quarter = avg_pool2d(norm_down_.then_silu(down_(half)), 2, 2);
    const Var code = encode_(reshape(quarter, {x.extent(0), -1}));
    const Var back = reshape(silu(decode_(code)), {x.extent(0), sample_[0] / 4, sample_[1] / 4, 2 * width_});
    return out_(upsample_nearest(norm_up_.then_silu(up_(upsample_nearest(back, 2))), 2));
  }

 private:
  Index flat() const { return sample_[0] / 4 * (sample_[1] / 4) * 2 * width_; }

  Shape sample_;
  Index width_;
  Conv2d in_, down_;
  Linear encode_, decode_;
  Conv2d up_, out_;
  GroupNorm norm_in_, norm_down_, norm_up_;
};

// The squared error of what the network makes of x_0, without noise.
struct Reconstruction : Formulation {
  Reconstruction() : Formulation({make_schedule("linear", 100), MeanType::x0, VarianceType::fixed_small}) {}
  Var losses(const NetworkFunction& network, const Var& x0, const Var&, std::span<const double> u) const override {
    return mean_per_sample(square(network(x0, u) - x0));
  }
  Var denoise(const NetworkFunction& network, const Var& x, double sigma) const override {
    return network(x, std::vector<double>(static_cast<std::size_t>(x.extent(0)), sigma));
  }
  SigmaRange sigma_range() const override { return {0.01, 1}; }
};

Method autoencoder(const Case& data) {
  constexpr Index most_width = 96;
  const Shape sample = data.test.sample_shape();
  std::unique_ptr<Autoencoder> network;  // the widest that isn't larger than the diffusion model's
  for (Index width = 8; width <= most_width; width += 8) {
    auto wider = std::make_unique<Autoencoder>(sample, width);
    if (network && wider->parameters.element_count() > data.model.network().parameters.element_count()) break;
    network = std::move(wider);
  }
  TrainOptions options;
  options.steps = std::min<Index>(data.steps, 1500);
  options.batch_size = 32;
  options.learning_rate = {2e-3, 100, "cosine", 0, 0.01};
  options.ema_rates = {};
  Trainer trainer({{sample, {}}, std::move(network), std::make_unique<Reconstruction>()}, data.train, options);
  for (Index step = 0; step < options.steps; ++step) trainer.step();
  const Tensor images = samples_of(data.test);
  Tensor restored = Tensor::uninitialized(images.shape());
  for (Index first = 0; first < images.extent(0); first += 64) {
    const Index last = std::min(first + 64, images.extent(0));
    restored.rows(first, last).copy_from(trainer.model()(Var(images.rows(first, last)), {}, {}).value());
  }
  std::printf("autoencoder: %d parameters, the diffusion model %d\n",
              static_cast<int>(trainer.model().network().parameters.element_count()),
              static_cast<int>(data.model.network().parameters.element_count()));
  return reconstruction("autoencoder", data, images, restored);
}

// --- The diffusion model.

Method diffusion(const std::string& name, const Case& data, DetectOptions options, bool standardised) {
  options.pooling = data.pooling;
  options.steps = std::min<Index>(50, data.model.process().schedule.steps());
  std::vector<Standard> standards;
  if (standardised) {
    const Detection healthy = detect(data.model, data.validation, options);
    std::vector<Index> rows(static_cast<std::size_t>(data.validation.count));
    std::iota(rows.begin(), rows.end(), Index{0});
    standards = standards_of(healthy, rows);
  }
  Detection found = detect(data.model, data.test, options, standards);
  return {name, std::move(found.scores), found.maps};
}

std::vector<Method> methods(const Case& data) {
  std::vector<Method> all;
  const auto add = [&](Method method) {
    std::fprintf(stderr, "%s\n", method.name.c_str());  // it takes minutes
    all.push_back(std::move(method));
  };
  add(brightness(data));
  add(bright_parts(data));
  add(principal_components(data));
  add(autoencoder(data));
  add(diffusion("denoising", data, {}, false));
  add(diffusion("denoising, standardised", data, {}, true));
  add(diffusion("partial at 0.25", data, {.scores = {"partial"}}, false));
  add(diffusion("partial at 0.5", data, {.scores = {"partial"}, .levels = {0.5}}, false));
  if (&data.model.noise() != &gaussian_noise()) return all;
  add(diffusion("partial at 0.25, simplex", data, {.scores = {"partial"}, .noise = "simplex"}, false));
  add(diffusion("bound", data, {.scores = {"bound"}}, false));
  add(diffusion("all three, standardised", data, {.scores = {"denoising", "partial", "bound"}}, true));
  return all;
}

// --- Tables.

void print_images(const Case& data, const std::vector<Method>& all) {
  const std::vector<std::string>& known = data.model.facts().class_names;
  const bool by_class = !data.test.labels.empty() && !known.empty();
  const Index pixels = data.test.height * data.test.width;
  std::vector<Index> normal, sick;
  std::vector<std::vector<Index>> kinds(by_class ? data.test.class_names.size() : 0);
  for (Index i = 0; i < data.test.count; ++i) {
    const auto* mask = data.test.masks.data() + i * pixels;
    const bool anomalous =
        by_class ? std::find(known.begin(), known.end(), data.test.class_names[data.test.labels[i]]) == known.end()
                 : !data.test.masks.empty() && std::any_of(mask, mask + pixels, [](std::uint8_t m) { return m != 0; });
    (anomalous ? sick : normal).push_back(i);
    if (anomalous && by_class) kinds[data.test.labels[i]].push_back(i);
  }
  const auto of = [](const Method& method, const std::vector<Index>& rows) {
    std::vector<double> scores;
    for (const Index i : rows) scores.push_back(method.scores[i]);
    return scores;
  };
  const auto row = [&](const std::string& name, const std::vector<Index>& rows) {
    std::printf("| %s | %d |", name.c_str(), static_cast<int>(rows.size()));
    for (const Method& method : all) {
      const Estimate e = bootstrap_auroc(of(method, normal), of(method, rows), 1000, 0);
      std::printf(" %.3f (%.3f to %.3f) |", e.value, e.interval.low, e.interval.high);
    }
    std::printf("\n");
  };
  std::printf("\n| anomalous | images |");
  for (const Method& method : all) std::printf(" %s |", method.name.c_str());
  std::printf("\n|---|---|");
  for (std::size_t i = 0; i < all.size(); ++i) std::printf("---|");
  std::printf("\n");
  Index printed = 0;
  for (std::size_t k = 0; k < kinds.size(); ++k)
    if (!kinds[k].empty()) row(data.test.class_names[k], kinds[k]), ++printed;
  if (printed != 1 && !sick.empty()) row("all", sick);
  std::printf("(against %d normal images)\n", static_cast<int>(normal.size()));
}

void print_pixels(const Case& data, const std::vector<Method>& all) {
  std::printf("\n| pixels | AUPRC | best Dice |\n|---|---|---|\n");
  for (const Method& method : all) {
    if (!method.maps.defined()) continue;
    const std::vector<double> values(method.maps.values().begin(), method.maps.values().end());
    const auto [precision, dice, threshold] =
        bootstrap_precision_recall(values, data.test.masks, data.test.count, 200, 0);
    std::printf("| %s |", method.name.c_str());
    for (const Estimate& e : {precision, dice})
      std::printf(" %.3f (%.3f to %.3f) |", e.value, e.interval.low, e.interval.high);
    std::printf("\n");
  }
}

void table(const std::string& pooling, const std::string& path, const std::string& test) {
  const auto start = std::chrono::steady_clock::now();
  const Checkpoint checkpoint = read_checkpoint(path);
  const Case data{ImageSet::load(checkpoint.config.data.train),
                  ImageSet::load(checkpoint.config.data.validation),
                  ImageSet::load(test),
                  model_of(checkpoint, checkpoint.config.train.ema_rates.empty() ? "raw" : "ema", path),
                  pooling,
                  checkpoint.state.step};
  for (const ImageSet* set : {&data.train, &data.validation, &data.test}) require_images(data.model, *set, set->name);
  std::printf("\n%s, step %d, on %s:\n", path.c_str(), static_cast<int>(checkpoint.state.step), test.c_str());
  const std::vector<Method> all = methods(data);
  print_images(data, all);
  if (!data.test.masks.empty()) print_pixels(data, all);
  std::printf("(%.0f s)\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::string pooling;
  std::vector<std::pair<std::string, std::string>> cases;
  CLI::App app("Anomaly detection beside simpler methods");
  app.add_option("pooling", pooling, concat("How a map becomes a score: ", names_in(poolings())))->required();
  app.add_option("cases", cases, "Checkpoints, each followed by its test set")->required();
  return with_command_line(app, argc, argv, [&] {
    find_line("pooling", poolings(), pooling);
    for (const auto& [checkpoint, test] : cases) table(pooling, checkpoint, test);
  });
}
