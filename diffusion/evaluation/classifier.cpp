#include "diffusion/evaluation/classifier.h"

#include <algorithm>
#include <cmath>

#include "data/atomic_file.h"
#include "data/loader.h"
#include "diffusion/model/checkpoint.h"
#include "nn/sharded_gradient.h"
#include "tensor/finite.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr const char* format = "reverie classifier";
constexpr Index version = 1;

constexpr std::array<Index, 3> widths = {16, 32, 64};
constexpr Index noise_sinusoids = 64;
constexpr Index recognition_shard = 16;

// Height or width after the pooling of all stages.
Index pooled(Index extent) { return extent >> widths.size(); }

const DataFacts& checked(const DataFacts& data) {
  const Shape& shape = data.sample_shape;
  if (data.class_names.size() < 2) {
    throw UsageError("classifier: the data has ", data.class_names.size(), " classes; expects labels of at least two");
  }
  if (shape.rank() != 3 || pooled(shape[0]) == 0 || pooled(shape[1]) == 0) {
    throw UsageError("classifier: samples have shape ", shape, "; expects images of at least 8x8");
  }
  return data;
}

Index flat_size(const Shape& sample) { return pooled(sample[0]) * pooled(sample[1]) * widths.back(); }

// (x_0 + sigma n) / sqrt(1 + sigma^2) for each sample.
Var with_noise(const Tensor& x0, std::span<const double> sigmas, const Tensor& noise) {
  const Var sigma = per_sample(sigmas, x0.rank(), [](double s) { return s; });
  const Var scale = per_sample(sigmas, x0.rank(), [](double s) { return 1 / std::sqrt(1 + s * s); });
  return (Var(x0) + sigma * noise) * scale;
}

// Draws the noise levels of a batch, one from each equal part of ln sigma, so that every batch covers the range.
std::vector<double> draw_sigmas(const RandomKey& key, Index count) {
  std::vector<double> sigmas;
  for (const Index place : permutation(key, count)) {
    const double share =
        (static_cast<double>(place) + uniform(key.with_channel(1), place)) / static_cast<double>(count);
    sigmas.push_back(std::exp(std::lerp(std::log(classifier_sigma_min), std::log(classifier_sigma_max), share)));
  }
  return sigmas;
}

template <class T>
std::span<const T> part(const std::vector<T>& list, Index first, Index last) {
  if (list.empty()) return {};
  return std::span(list).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
}

}  // namespace

Classifier::Classifier(const DataFacts& facts, bool noisy, std::uint64_t seed)
    : data(checked(facts)),
      noisy(noisy),
      parameters(seed),
      hidden_(parameters.root() / "hidden", flat_size(data.sample_shape), feature_count),
      output_(parameters.root() / "output", feature_count, std::ssize(data.class_names)) {
  Index channels = data.sample_shape[2];
  for (const Index width : widths) {
    const Scope scope = parameters.root() / "stages" / std::ssize(stages_);
    stages_.push_back({Conv2d(scope / "convolution", channels, width, 3, {.padding = 1}),
                       GroupNorm(scope / "norm", width, 8), std::nullopt});
    if (noisy) stages_.back().noise_level.emplace(scope / "noise_level", noise_sinusoids, width);
    channels = width;
  }
}

Var Classifier::features(const Var& x_t, std::span<const double> sigmas) const {
  if (x_t.rank() != 4 || Shape({x_t.extent(1), x_t.extent(2), x_t.extent(3)}) != data.sample_shape) {
    throw ShapeError("classifier: images of shape ", x_t.shape(), ", expects samples of ", data.sample_shape);
  }
  if (std::ssize(sigmas) != (noisy ? x_t.extent(0) : 0)) {
    throw ShapeError("classifier: ", sigmas.size(), " noise levels for ", x_t.extent(0), " images; a ",
                     noisy ? "noisy one expects one for each" : "clean one expects none");
  }
  std::vector<double> levels;  // ln sigma, scaled to the range of time steps
  for (const double sigma : sigmas) {
    const double clamped = std::clamp(sigma, classifier_sigma_min, classifier_sigma_max);
    levels.push_back(network_time_scale * std::log(clamped / classifier_sigma_min) /
                     std::log(classifier_sigma_max / classifier_sigma_min));
  }
  Var h = x_t;
  for (const Stage& stage : stages_) {
    h = stage.norm(stage.convolution(h));
    if (noisy) {
      const Tensor sinusoids = timestep_embedding(levels, noise_sinusoids);
      const Var on_tape = h.tape() ? h.tape()->constant(sinusoids) : Var(sinusoids);
      h = h + reshape((*stage.noise_level)(on_tape), {h.extent(0), 1, 1, -1});
    }
    h = avg_pool2d(silu(h), 2, 2);
  }
  return silu(hidden_(reshape(h, {h.extent(0), -1})));
}

Tensor Classifier::log_probability_gradient(const Tensor& x_t, std::span<const double> sigmas,
                                            std::span<const Index> labels) const {
  const kernels::WithKernels in_float({});
  Tape tape;
  tape.freeze_parameters();
  const Var x = tape.variable(x_t);
  const Var mean_loss = cross_entropy(logits(features(x, sigmas)), labels);  // the mean of -log p
  tape.backward(-static_cast<double>(x_t.extent(0)) * mean_loss);
  return tape.gradient(x);
}

std::unique_ptr<Classifier> train_classifier(const Dataset& data, const ClassifierTraining& options,
                                             const std::function<bool(double)>& progress) {
  const kernels::WithKernels in_float({});
  if (options.epochs < 1 || options.epochs > 100'000) {
    throw UsageError("classifier: ", options.epochs, " epochs; expects at least 1, at most 100000");
  }
  if (options.steps < 0 || options.steps > 10'000'000) {
    throw UsageError("classifier: ", options.steps, " training steps; expects at least 1, at most 10000000");
  }
  auto classifier =
      std::make_unique<Classifier>(DataFacts{data.sample_shape(), data.class_names}, options.noisy, options.seed);
  const Loader loader(data, options.batch_size, options.seed, options.augmentation);
  ShardedGradient gradient(classifier->parameters, options.shard_size, options.lanes);
  Optimizer optimizer({.name = "adamw", .weight_decay = 0.01}, classifier->parameters);
  const Index by_epochs = (options.epochs * data.size() + options.batch_size - 1) / options.batch_size,
              steps = options.steps > 0 ? options.steps : by_epochs;
  const LearningRate learning_rate{options.learning_rate, std::min<Index>(100, steps / 10), "cosine", steps, 0.01};
  for (Index step = 0; step < steps; ++step) {
    if (progress && !progress(static_cast<double>(step) / static_cast<double>(steps))) {
      throw Error("classifier: interrupted");
    }
    const Loader::Batch batch = loader.batch(step);
    const RandomKey key{.seed = options.seed, .stream = Stream::noise, .step = static_cast<std::uint64_t>(step)};
    Tensor x = batch.x0;
    std::vector<double> sigmas;
    if (options.noisy) {
      sigmas = draw_sigmas({options.seed, Stream::timestep, static_cast<std::uint64_t>(step)}, options.batch_size);
      x = with_noise(x, sigmas, normal_rows(key, x.shape(), 0)).value();
    }
    gradient.compute(options.batch_size, [&](Tape& tape, Index first, Index last) {
      const Var features = classifier->features(tape.constant(x.rows(first, last)), part(sigmas, first, last));
      return cross_entropy(classifier->logits(features), part(batch.labels, first, last)) *
             (static_cast<double>(last - first) / static_cast<double>(options.batch_size));
    });
    const double norm = gradient.norm();
    if (!std::isfinite(norm)) throw Error("classifier: step ", step + 1, ": a gradient is not finite");
    optimizer.step(gradient.value(), learning_rate(step), clip_factor(norm, 1));
  }
  classifier->source =
      concat(options.noisy ? "at random noise levels, " : "", options.steps > 0 ? steps : options.epochs,
             options.steps > 0 ? " steps on " : " epochs of ", data.size(), " images",
             data.name.empty() ? "" : " of " + data.name, in_words(options.augmentation), ", seed ", options.seed);
  return classifier;
}

Recognition recognise(const Classifier& classifier, const Dataset& data, double sigma) {
  if (data.sample_shape() != classifier.data.sample_shape) {
    throw UsageError("classifier: learned images of shape ", classifier.data.sample_shape, ", these have ",
                     data.sample_shape());
  }
  const Index N = data.size();
  Recognition result{Tensor::uninitialized({N, Classifier::feature_count}),
                     Tensor::uninitialized({N, std::ssize(classifier.data.class_names)}),
                     std::vector<Index>(static_cast<std::size_t>(N))};
  const kernels::WithKernels in_float({});
  const auto packed = classifier.parameters.keep_packed();
  parallel_for(N, recognition_shard, [&](Index first, Index last) {
    std::vector<Index> indices;  // always a full shard: rounding depends on its size, and equal images must stay equal
    for (Index i = 0; i < recognition_shard; ++i) indices.push_back(std::min(first + i, N - 1));
    Tensor x = data.batch(indices);
    std::vector<double> sigmas;
    if (classifier.noisy) {
      sigmas.assign(indices.size(), sigma);
      x = with_noise(x, sigmas, normal_rows({.stream = Stream::validation}, x.shape(), first)).value();
    }
    const Tensor features = classifier.features(x, sigmas).value(), logits = classifier.logits(features).value();
    require_finite(concat("classifier: the output for images ", first, " to ", last - 1), logits);
    result.features.rows(first, last).copy_from(features.rows(0, last - first));
    result.probabilities.rows(first, last).copy_from(softmax(logits).value().rows(0, last - first));
    for (Index i = first; i < last; ++i) {
      const Tensor row = logits.rows(i - first, i - first + 1);
      result.classes[i] = std::max_element(row.values().begin(), row.values().end()) - row.values().begin();
    }
  });
  return result;
}

std::vector<double> hits(const std::vector<Index>& classes, std::span<const Index> labels) {
  if (labels.size() < classes.size()) throw UsageError("classifier: the images have no labels to compare with");
  std::vector<double> result;
  for (std::size_t i = 0; i < classes.size(); ++i) result.push_back(classes[i] == labels[i] ? 1 : 0);
  return result;
}

LabelGuidance guidance_by(const Classifier& classifier, const DiffusionModel& model, double scale) {
  if (!classifier.noisy) {
    throw UsageError("guidance requires a noisy classifier; train one with `reverie classifier --noisy`");
  }
  if (classifier.data.sample_shape != model.facts().sample_shape) {
    throw UsageError("guidance: the classifier learned images of shape ", classifier.data.sample_shape, ", the model ",
                     model.facts().sample_shape);
  }
  return {.gradient = [&classifier, scale = SigmaScale(model.process().schedule)](
                          const Var& x_t, std::span<const double> t, std::span<const Index> labels) -> Var {
            std::vector<double> sigmas;
            for (const double step : t) sigmas.push_back(scale.sigma(step));
            return classifier.log_probability_gradient(x_t.value(), sigmas, labels);
          },
          .class_names = classifier.data.class_names,
          .scale = scale};
}

void write_classifier(const std::string& path, const Classifier& classifier) {
  write_atomically(path, [&](const std::string& temporary) {
    Hdf5File file = Hdf5File::create(temporary);
    file.write_attribute("/", "format", format);
    file.write_attribute("/", "version", version);
    file.write_attribute("/", "noisy", classifier.noisy ? 1 : 0);
    file.write_attribute("/", "source", classifier.source);
    file.write_attribute("/", "class_names", classifier.data.class_names);
    const Shape& shape = classifier.data.sample_shape;
    file.write_int64("sample_shape", {shape.rank()}, std::vector<Index>(shape.begin(), shape.end()));
    for (const auto& [name, tensor] : named(classifier.parameters, classifier.parameters.values())) {
      file.write_tensor("weights/" + name, tensor);
    }
    file.write_checksum("/");  // last, so that it covers all attributes
    file.close();
  });
}

bool is_classifier(const std::string& path) {
  const Hdf5File file = Hdf5File::open(path);
  return file.has_attribute("/", "format") && file.attribute_is_string("/", "format") &&
         file.read_string_attribute("/", "format") == format;
}

std::unique_ptr<Classifier> read_classifier(const std::string& path) {
  if (!is_classifier(path)) throw Error(path, ": is not a classifier; `reverie classifier` trains one");
  const Hdf5File file = Hdf5File::open(path);
  const Index found = file.read_int_attribute("/", "version");
  if (found != version) throw Error(path, ": is a classifier of version ", found, "; this program reads ", version);
  file.require_checksum("/");
  const DataFacts data{Shape(file.read_int64("sample_shape")), file.read_strings_attribute("/", "class_names")};
  auto classifier = std::make_unique<Classifier>(data, file.read_int_attribute("/", "noisy") != 0, 0);
  classifier->source = file.read_string_attribute("/", "source");
  TensorMap weights;
  for (const std::string& name : file.datasets("weights")) weights[name] = file.read_tensor("weights/" + name);
  classifier->parameters.exchange(in_order(weights, "weights", classifier->parameters, path));
  return classifier;
}

}  // namespace reverie::inline REVERIE_PRECISION
