#include "diffusion/uses/detect.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "data/subset.h"
#include "diffusion/evaluation/bound.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/model/sampling.h"
#include "diffusion/process/noise.h"
#include "tensor/finite.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index detection_shard = 16;  // images per task

double mean_of_map(std::span<const real> map, Index, Index) {
  double sum = 0;
  for (const real value : map) sum += static_cast<double>(value);
  return sum / static_cast<double>(map.size());
}

// Weighted by a Gaussian around the centre, whose standard deviation is a quarter of the height and width.
double centre_of_map(std::span<const real> map, Index height, Index width) {
  const auto weight = [](Index i, Index extent) {
    const double place = (static_cast<double>(i) + 0.5) / static_cast<double>(extent) - 0.5;
    return std::exp(-8 * place * place);
  };
  double sum = 0, weights = 0;
  for (Index y = 0; y < height; ++y) {
    for (Index x = 0; x < width; ++x) {
      const double w = weight(y, height) * weight(x, width);
      sum += w * static_cast<double>(map[y * width + x]);
      weights += w;
    }
  }
  return sum / weights;
}

double max_of_map(std::span<const real> map, Index, Index) {
  return static_cast<double>(*std::max_element(map.begin(), map.end()));
}

constexpr Pooling pooling_table[] = {
    {"mean", "the mean over the pixels", mean_of_map},
    {"centre", "a mean with Gaussian weights around the centre", centre_of_map},
    {"max", "the largest value; smooth the maps with it", max_of_map},
};

const Noise& noise_of(const DiffusionModel& model, const DetectOptions& options) {
  return options.noise.empty() ? model.noise() : find_noise(options.noise);
}

// What the network is given for n images: no class and no caption.
std::vector<Index> no_labels(const DiffusionModel& model, Index n) {
  if (!model.conditional()) return {};
  return std::vector<Index>(static_cast<std::size_t>(n * model.network().labels_per_sample()), model.null_class());
}

// All components have progress of their own; this is that of the whole.
std::function<bool(double)> share_of(const std::function<bool(double)>& progress, Index component, Index components) {
  if (!progress) return nullptr;
  return [&progress, component, components](double share) {
    return progress((static_cast<double>(component) + share) / static_cast<double>(components));
  };
}

// Runs `work(first, last)` on shards of N images with the model's kernels.
void in_shards(const DiffusionModel& model, Index N, const std::function<bool(double)>& progress,
               const std::function<void(Index first, Index last)>& work) {
  const kernels::WithKernels scope(model.kernels());
  const auto packed = model.network().parameters.keep_packed();
  std::mutex mutex;
  Index done = 0;
  bool going = true;
  parallel_for(N, samples_at_once(model.facts().sample_shape, detection_shard), [&](Index first, Index last) {
    work(first, last);
    if (!progress) return;
    const std::scoped_lock lock(mutex);
    done += last - first;
    going = going && progress(static_cast<double>(done) / static_cast<double>(N));
    if (!going) throw Error("detect: interrupted");
  });
}

void require_finite_images(const char* what, const Tensor& values) {
  const auto bad = static_cast<Index>(first_not_finite(values));
  if (bad == values.size()) return;
  throw Error("detect: ", what, " of image ", bad / (values.size() / values.extent(0)), " is ", values[bad],
              "; did training diverge?");
}

// One evaluation: D(x_0 + sigma n; sigma).
Tensor denoised(const DiffusionModel& model, const Tensor& x0, const Tensor& noise, double level, bool clip,
                const std::function<bool(double)>& progress) {
  const NoiseSchedule& schedule = model.process().schedule;
  const double sigma = chain_sigmas(schedule)[steps_within(level, schedule.steps()) - 1];
  Tensor result = Tensor::uninitialized(x0.shape());
  in_shards(model, x0.extent(0), progress, [&](Index first, Index last) {
    const Denoiser denoise = model.formulation().denoiser(model.with_labels(no_labels(model, last - first)));
    const Var x = Var(x0.rows(first, last)) + sigma * Var(noise);
    result.rows(first, last).copy_from(denoise(x, sigma).value());
  });
  require_finite_images("the denoiser's output", result);
  return clip ? clamp(Var(result), -1, 1).value() : result;
}

// Noised to the level, and sampled from there.
// [Wyatt22] sec. 3
Tensor healed(const DiffusionModel& model, const Tensor& x0, const Tensor& noise, double level,
              const DetectOptions& options, const std::function<bool(double)>& progress, Index& evaluations) {
  SampleRequest request;
  request.sampler = "ddim";
  request.steps = options.steps;
  request.clip = options.clip;
  request.count = x0.extent(0);
  request.start = x0;
  request.strength = level;
  request.start_noise = Tensor::uninitialized(x0.shape());
  for (Index i = 0; i < request.count; ++i) request.start_noise.rows(i, i + 1).copy_from(noise);
  if (model.text_conditional()) {
    request.captions.resize(static_cast<std::size_t>(request.count));
  } else {
    request.labels = no_labels(model, request.count);
  }
  const Samples samples = generate(model, request, progress);
  evaluations += samples.evaluations;
  return samples.x;
}

// The bound of each image on the respaced chain.
std::vector<double> bounds(const DiffusionModel& model, const Tensor& x0, const RandomKey& key,
                           const DetectOptions& options, const std::function<bool(double)>& progress) {
  Process process = model.process();
  process.schedule = respace(process.schedule, std::to_string(options.steps));
  std::vector<double> values(static_cast<std::size_t>(x0.extent(0)));
  in_shards(model, x0.extent(0), progress, [&](Index first, Index last) {
    const auto noise = [&](Index t) {
      const Tensor one = gaussian_noise().rows(key.with_channel(t), x0.rows(0, 1).shape(), 0);
      return (Var(Tensor::zeros(x0.rows(first, last).shape())) + one).value();
    };
    const NetworkFunction network = model.formulation().in_chain(model.with_labels(no_labels(model, last - first)));
    const Tensor total = variational_bound(process, network, x0.rows(first, last), noise, options.clip).total;
    std::copy(total.values().begin(), total.values().end(), values.begin() + first);
  });
  if (const std::size_t bad = first_not_finite(std::span<const double>(values)); bad < values.size())
    throw Error("detect: the bound of image ", bad, " is ", values[bad], "; did training diverge?");
  return values;
}

// The squared error, averaged over the channels, [N,H,W].
Tensor error_map(const Tensor& a, const Tensor& b) {
  const Index N = a.extent(0), H = a.extent(1), W = a.extent(2), C = a.extent(3);
  Tensor map = Tensor::uninitialized({N, H, W});
  for (Index i = 0; i < map.size(); ++i) {
    double sum = 0;
    for (Index c = 0; c < C; ++c)
      sum += std::pow(static_cast<double>(a[i * C + c]) - static_cast<double>(b[i * C + c]), 2);
    map[i] = static_cast<real>(sum / static_cast<double>(C));
  }
  return map;
}

// Convolves rows, then columns, with a Gaussian; at the edges, with the part of it that lies inside.
void smooth(Tensor& maps, double deviation) {
  if (deviation == 0) return;
  const auto reach = static_cast<Index>(std::ceil(3 * deviation));
  std::vector<double> weights;
  for (Index i = 0; i <= reach; ++i)
    weights.push_back(std::exp(-static_cast<double>(i * i) / (2 * deviation * deviation)));
  const Index H = maps.extent(1), W = maps.extent(2);
  const auto along = [&](real* first, Index n, Index stride) {
    std::vector<double> line(static_cast<std::size_t>(n));
    for (Index i = 0; i < n; ++i) line[i] = static_cast<double>(first[i * stride]);
    for (Index i = 0; i < n; ++i) {
      double sum = 0, total = 0;
      for (Index j = std::max<Index>(0, i - reach); j <= std::min(n - 1, i + reach); ++j) {
        sum += weights[std::abs(i - j)] * line[j];
        total += weights[std::abs(i - j)];
      }
      first[i * stride] = static_cast<real>(sum / total);
    }
  };
  parallel_for(maps.extent(0), 16, [&](Index first, Index last) {
    for (Index n = first; n < last; ++n) {
      for (Index y = 0; y < H; ++y) along(maps.data() + (n * H + y) * W, W, 1);
      for (Index x = 0; x < W; ++x) along(maps.data() + n * H * W + x, H, W);
    }
  });
}

struct Component {
  std::string name;
  std::vector<double> values;
  Tensor map, healed;  // undefined for the bound
};

Component evaluate(const DiffusionModel& model, const Tensor& x0, const AnomalyScore& score, double level,
                   const RandomKey& key, const DetectOptions& options, const std::function<bool(double)>& progress,
                   Index& evaluations) {
  if (score.levels.empty()) {
    evaluations += options.steps;
    return {score.name, bounds(model, x0, key, options, progress), {}, {}};
  }
  Component result{concat(score.name, " at ", level), {}, {}, {}};
  const Tensor noise = noise_of(model, options).rows(key, x0.rows(0, 1).shape(), 0);
  if (std::string_view(score.name) == "partial") {
    result.healed = healed(model, x0, noise, level, options, progress, evaluations);
  } else {
    result.healed = denoised(model, x0, noise, level, options.clip, progress);
    ++evaluations;
  }
  result.map = error_map(x0, result.healed);
  smooth(result.map, options.smoothing);
  const Pooling& pooling = find_line("pooling", poolings(), options.pooling);
  for (Index n = 0; n < x0.extent(0); ++n) {
    const Tensor map = result.map.rows(n, n + 1);
    result.values.push_back(pooling.score(map.values(), x0.extent(1), x0.extent(2)));
  }
  return result;
}

// Adds factor * x - shift to a sum, which may be undefined.
void accumulate(Tensor& sum, const Tensor& x, double factor, double shift = 0) {
  if (!sum.defined()) sum = Tensor::zeros(x.shape());
  for (Index i = 0; i < x.size(); ++i) sum[i] += static_cast<real>(factor * static_cast<double>(x[i]) - shift);
}

}  // namespace

std::span<const AnomalyScore> anomaly_scores() {
  static const std::vector<AnomalyScore> table = {
      {"denoising", "the denoiser's squared error, one evaluation for each level", {0.5, 0.55, 0.6, 0.65, 0.7}},
      {"partial", "the squared error of an image that is noised and sampled again [Wyatt22]", {0.25}},
      {"bound", "the variational bound in bits per dimension, without a map", {}},
  };
  return table;
}

std::span<const Pooling> poolings() { return pooling_table; }

void require_images(const DiffusionModel& model, const Dataset& images, const std::string& where) {
  const Shape& expected = model.facts().sample_shape;
  if (expected.rank() != 3) throw UsageError("detect: expects a model of images; this one learned points");
  if (images.sample_shape() != expected) {
    throw UsageError(where, ": has samples of shape ", images.sample_shape(), ", the model learned ", expected);
  }
}

void check_detection(const DiffusionModel& model, const DetectOptions& options) {
  if (options.scores.empty()) throw UsageError("detect: no score; there are: ", names_in(anomaly_scores()));
  for (std::size_t i = 0; i < options.scores.size(); ++i) {
    find_line("score", anomaly_scores(), options.scores[i]);
    if (std::count(options.scores.begin(), options.scores.end(), options.scores[i]) > 1)
      throw UsageError("detect: the score ", options.scores[i], " is given twice");
  }
  for (const double level : options.levels) {
    if (!(level > 0 && level < 1))
      throw UsageError("detect: the noise level ", level, " isn't a share of the chain; expects between 0 and 1");
  }
  constexpr Index most = 10'000;
  if (options.draws < 1 || options.draws > most)
    throw UsageError("detect: ", options.draws, " draws of noise; expects 1 to ", most);
  const Index T = model.process().schedule.steps();
  if (options.steps < 1 || options.steps > T)
    throw UsageError("detect: ", options.steps, " steps of a chain of ", T, "; expects 1 to ", T);
  if (!(options.smoothing >= 0 && options.smoothing <= 1000))
    throw UsageError("detect: maps are smoothed over ", options.smoothing, " pixels; expects 0 to 1000");
  noise_of(model, options);
  if (std::find(options.scores.begin(), options.scores.end(), "bound") != options.scores.end())
    require_gaussian(noise_of(model, options), "detect: the bound");
  find_line("pooling", poolings(), options.pooling);
  if (model.conditional() && !model.has_null_class()) {
    throw UsageError(
        "detect: this model needs the class or caption of an image, which detection doesn't know; train "
        "one without, or with `train.label_dropout` > 0");
  }
}

Detection detect(const DiffusionModel& model, const Dataset& images, const DetectOptions& options,
                 std::span<const Standard> standards, const std::function<bool(double)>& progress) {
  check_detection(model, options);
  require_images(model, images, images.name.empty() ? "detect: the set" : "detect: " + images.name);
  struct Part {
    const AnomalyScore& score;
    double level;
  };
  std::vector<Part> parts;
  for (const std::string& name : options.scores) {
    const AnomalyScore& score = find_line("score", anomaly_scores(), name);
    const std::vector<double>& levels = options.levels.empty() ? score.levels : options.levels;
    for (Index draw = 0; draw < options.draws; ++draw) {
      if (score.levels.empty()) parts.push_back({score, 0});
      for (const double level : levels)
        if (!score.levels.empty()) parts.push_back({score, level});
    }
  }
  const Index K = std::ssize(parts);
  if (!standards.empty() && std::ssize(standards) != K)
    throw UsageError("detect: ", standards.size(), " standards for ", K, " components");
  const Tensor x0 = samples_of(images);
  Detection result;
  const bool comparable = options.scores.size() == 1 || !standards.empty();
  const auto maps = static_cast<double>(
      std::count_if(parts.begin(), parts.end(), [](const Part& part) { return !part.score.levels.empty(); }));
  Index healing = 0;  // components of the first score with a map
  const AnomalyScore* first = nullptr;
  for (Index k = 0; k < K; ++k) {
    // Every component has its own noise, the same for all images.
    const RandomKey key{.seed = options.seed, .stream = Stream::sample_start, .step = static_cast<std::uint64_t>(k)};
    Component component =
        evaluate(model, x0, parts[k].score, parts[k].level, key, options, share_of(progress, k, K), result.evaluations);
    if (component.map.defined() && comparable) {
      const Standard standard = standards.empty() ? Standard{} : standards[k];
      accumulate(result.maps, component.map, 1 / (standard.deviation * maps),
                 standard.mean / (standard.deviation * maps));
      if (first == nullptr) first = &parts[k].score;
      if (first == &parts[k].score) accumulate(result.healed, component.healed, 1), ++healing;
    }
    result.names.push_back(std::move(component.name));
    result.values.push_back(std::move(component.values));
  }
  if (healing > 1) result.healed = (Var(result.healed) / static_cast<double>(healing)).value();
  if (comparable) result.scores = standardised_scores(result, standards);
  return result;
}

std::vector<Standard> standards_of(const Detection& healthy, std::span<const Index> rows) {
  if (rows.size() < 2) throw UsageError("detect: ", rows.size(), " healthy images can't standardise; expects two");
  std::vector<Standard> standards;
  for (std::size_t k = 0; k < healthy.values.size(); ++k) {
    std::vector<double> values;
    for (const Index row : rows) values.push_back(healthy.values[k][row]);
    Standard standard{mean_of(values), 0};
    for (const double value : values) standard.deviation += std::pow(value - standard.mean, 2);
    standard.deviation = std::sqrt(standard.deviation / static_cast<double>(values.size() - 1));
    if (!(standard.deviation > 0))
      throw UsageError("detect: ", healthy.names[k], " is ", standard.mean, " for all healthy images");
    standards.push_back(standard);
  }
  return standards;
}

std::vector<double> standardised_scores(const Detection& detection, std::span<const Standard> standards) {
  const std::size_t K = detection.values.size();
  std::vector<double> scores(detection.values.front().size());
  for (std::size_t k = 0; k < K; ++k) {
    const Standard standard = standards.empty() ? Standard{} : standards[k];
    for (std::size_t i = 0; i < scores.size(); ++i)
      scores[i] += (detection.values[k][i] - standard.mean) / standard.deviation / static_cast<double>(K);
  }
  return scores;
}

}  // namespace reverie::inline REVERIE_PRECISION
