#include "diffusion/model/sampling.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>

#include "data/classes.h"
#include "data/image_set.h"
#include "data/point_set.h"
#include "data/subset.h"
#include "diffusion/samplers/sigmas.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index sampling_shard = 16;  // images per task; no tensors are saved

// A resolved request: the options, and the chain or grid to follow.
struct Plan {
  SamplerOptions options;
  Process process;
  std::vector<double> sigmas;  // empty for samplers of the chain
  Index steps;
  double start_alpha_bar;  // the share of x_0's variance at the first sampling step
};

// The named grid, with its ends clamped to the noise levels of training unless the request sets them.
std::vector<double> grid_of(const DiffusionModel& model, const SampleRequest& request, const std::string& name) {
  OptionValues values = request.sigma_parameters;
  const SigmaRange range = model.formulation().sigma_range();
  for (const OptionInfo& option : find_line("sigma grid", sigma_grids(), name).options) {
    const bool is_end = std::string_view(option.name).starts_with("sigma_");
    if (is_end) values.try_emplace(option.name, std::clamp(option.value, range.min, range.max));
  }
  return make_sigmas(name, request.steps > 0 ? request.steps : model.process().schedule.steps(), values);
}

// The beginning of a chain, up to a share of it.
NoiseSchedule beginning_of(const NoiseSchedule& schedule, double share) {
  std::vector<Index> kept(static_cast<std::size_t>(steps_within(share, schedule.steps())));
  std::iota(kept.begin(), kept.end(), Index{0});
  return respace(schedule, kept);
}

// Starts a descending grid at the sigma of the chain's time step at that share: any sampler then starts at one level.
std::vector<double> starting_within(const std::vector<double>& sigmas, const NoiseSchedule& schedule, double share) {
  const double first = chain_sigmas(schedule)[steps_within(share, schedule.steps()) - 1];
  std::vector<double> kept = {std::min(first, sigmas.front())};
  std::copy_if(sigmas.begin(), sigmas.end(), std::back_inserter(kept), [&](double s) { return s < kept.front(); });
  return kept;
}

Plan plan_of(const DiffusionModel& model, const Sampler& sampler, const SampleRequest& request) {
  if (!(request.strength > 0 && request.strength <= 1)) {
    throw UsageError("sampling: the strength is ", request.strength, "; it must be above 0, and at most 1");
  }
  SamplerOptions options = sampler_options(sampler, request.sampler_parameters, request.solver_type);
  options.clip = request.clip;
  options.dynamic_threshold = request.dynamic_threshold;
  Plan plan{options, model.process(), {}, 0, 0};
  const std::string grid = grid_name(sampler, request);
  const Index T = model.process().schedule.steps();
  if (sampler.chain || grid == chain_grid) {
    if (request.steps > T) {
      throw UsageError("sampling: ", request.steps, " steps (--steps, sample.steps) of a chain of ", T,
                       "; expects 1 to ", T, ", or 0 for all");
    }
    if (request.steps > 0) plan.process.schedule = respace(model.process().schedule, std::to_string(request.steps));
    if (request.strength < 1) plan.process.schedule = beginning_of(plan.process.schedule, request.strength);
    plan.steps = plan.process.schedule.steps();
    plan.start_alpha_bar = plan.process.schedule.alphas_cumprod.back();
  }
  if (sampler.sigma) {
    plan.sigmas = grid == chain_grid ? chain_grid_sigmas(plan.process.schedule) : grid_of(model, request, grid);
    if (request.strength < 1 && grid != chain_grid)
      plan.sigmas = starting_within(plan.sigmas, model.process().schedule, request.strength);
    plan.steps = std::ssize(plan.sigmas) - 1;
    plan.start_alpha_bar = 1 / (1 + plan.sigmas[0] * plan.sigmas[0]);
  }
  return plan;
}

// Changes the request to DDIM without noise.
SampleRequest encoding_of(SampleRequest request) {
  choose_sampler(request, "ddim");
  request.sampler_parameters.clear();
  request.strength = 1;
  return request;
}

Shape samples_shape(const DiffusionModel& model, Index count) {
  std::vector<Index> extents = {count};
  extents.insert(extents.end(), model.facts().sample_shape.begin(), model.facts().sample_shape.end());
  return Shape(extents);
}

// Calls body(first, last) for shards of the samples, in parallel, for at most `at_once` samples at a time.
void for_shards(const DiffusionModel& model, const SampleRequest& request,
                const std::function<void(Index, Index)>& body) {
  const Index limit = request.at_once > 0 ? request.at_once : request.count;
  const Index shard = std::min(samples_at_once(model.facts().sample_shape, sampling_shard), limit);
  const Index group = limit / shard * shard;
  for (Index begin = 0; begin < request.count; begin += group) {
    parallel_for(std::min(group, request.count - begin), shard,
                 [&](Index first, Index last) { body(begin + first, begin + last); });
  }
}

// The label of each sample; empty if there are no classes.
std::vector<Index> labels_of(const DiffusionModel& model, const SampleRequest& request) {
  const Index classes = std::ssize(sample_classes(model, request));
  if (classes == 0 || !request.labels.empty()) return request.labels;
  std::vector<Index> labels;
  for (Index i = 0; i < request.count; ++i) labels.push_back(request.label >= 0 ? request.label : i % classes);
  return labels;
}

// Whether a label stands for "no class".
bool is_none(const DiffusionModel& model, const SampleRequest& request, Index label) {
  return model.class_conditional() && model.has_null_class() && !request.classifier.gradient &&
         label == model.null_class();
}

// What the network is given for all samples: classes or the tokens of captions.
std::vector<Index> conditions_of(const DiffusionModel& model, const SampleRequest& request) {
  if (model.text_conditional()) return model.tokens_of(request.captions);
  return model.conditional() ? labels_of(model, request) : std::vector<Index>{};
}

// What guidance leads away from, for as many samples.
std::vector<Index> away_from(const DiffusionModel& model, const SampleRequest& request, Index samples) {
  const Index each = model.network().labels_per_sample();
  if (request.negative_caption.empty())
    return std::vector<Index>(static_cast<std::size_t>(samples * each), model.null_class());
  return model.tokens_of(std::vector<std::string>(static_cast<std::size_t>(samples), request.negative_caption));
}

std::vector<Index> part(const std::vector<Index>& labels, Index first, Index last) {
  return labels.empty() ? labels : std::vector<Index>(labels.begin() + first, labels.begin() + last);
}

// What the network is given of the pictures to enlarge; undefined if there are none.
Tensor pictures_of(const DiffusionModel& model, const SampleRequest& request, Index first, Index last) {
  return request.small.defined() ? model.picture_of_small(request.small.rows(first, last)) : Tensor();
}

// x at the first sampling step, in the chain's form, of samples first, first + 1, ...: x_T, or x_0 with noise.
Tensor start_of(const DiffusionModel& model, const SampleRequest& request, double alpha_bar, const Shape& shape,
                Index first) {
  const Index last = first + shape[0];
  if (request.start.defined() && request.strength == 1) return request.start.rows(first, last).clone();
  const Tensor noise = request.start_noise.defined()
                           ? request.start_noise.rows(first, last)
                           : starting_noise(request.seed, shape, request.first + first, model.noise());
  if (!request.start.defined()) return noise;
  return (std::sqrt(alpha_bar) * Var(request.start.rows(first, last)) + std::sqrt(1 - alpha_bar) * noise).value();
}

// Adds up the progress of several threads and reports the total. Once `progress` has returned false, it stops them all.
class ShardProgress {
 public:
  ShardProgress(const std::function<bool(double)>& progress, Index all) : progress_(progress), all_(all) {}
  void operator()(Index steps) {
    if (!progress_) return;
    const std::scoped_lock lock(mutex_);
    done_ += steps;
    going_ = going_ && progress_(static_cast<double>(done_) / static_cast<double>(all_));
    if (!going_) throw Error("sampling: interrupted");
  }

 private:
  const std::function<bool(double)>& progress_;
  Index all_, done_ = 0;
  bool going_ = true;
  std::mutex mutex_;
};

// The classifier's number of each class of the samples; empty if it has no names to match.
std::vector<Index> guiding_classes(const DiffusionModel& model, const SampleRequest& request) {
  const std::vector<std::string>& guiding = request.classifier.class_names;
  if (guiding.empty()) return {};
  return match_classes(sample_classes(model, request), "sampling: the model", guiding, "the guiding classifier");
}

}  // namespace

Index steps_within(double share, Index T) { return std::max<Index>(1, std::lround(share * static_cast<double>(T))); }

const std::vector<std::string>& sample_classes(const DiffusionModel& model, const SampleRequest& request) {
  return model.class_conditional() ? model.facts().class_names : request.classifier.class_names;
}

void borrow_conditions(SampleRequest& request, const DiffusionModel& model, const Dataset& set) {
  if (const Index factor = model.low_resolution(); factor > 0) {
    const Subset some(set, request.count);
    std::vector<Index> rows;
    for (Index i = 0; i < request.count; ++i) rows.push_back(i % some.size());
    request.small = avg_pool2d(some.batch(rows), factor, factor).value();
  }
  if (!model.text_conditional()) return;
  if (set.captions.empty()) throw UsageError("sampling: the set has no captions to draw");
  const Subset some(set, request.count);
  request.captions.clear();
  for (Index i = 0; i < request.count; ++i)
    request.captions.push_back(some.captions[static_cast<std::size_t>(i % some.size())]);
}

Index sampling_steps(const DiffusionModel& model, const Sampler& sampler, const SampleRequest& request) {
  return plan_of(model, sampler, request).steps;
}

std::vector<NoiseLevel> noise_levels(const DiffusionModel& model, const Sampler& sampler,
                                     const SampleRequest& request) {
  const Plan plan = plan_of(model, sampler, request);
  const SigmaScale scale(model.process().schedule);
  std::vector<NoiseLevel> levels;
  for (const double alpha_bar : alpha_bars(sampler, plan.process.schedule, plan.sigmas))
    levels.push_back({alpha_bar < 1 ? scale.step(std::sqrt(1 / alpha_bar - 1)) : -1, alpha_bar});
  return levels;
}

void check_request(const DiffusionModel& model, const Sampler& sampler, const SampleRequest& request) {
  constexpr Index most = 100'000'000;
  if (request.count < 1 || request.count > most) {
    throw UsageError("sampling: ", request.count, " samples; expects from 1 to ", most);
  }
  check_options(sampler, request);
  check_inpainting(request.inpaint, plan_of(model, sampler, request).steps);
  if (request.inpaint.known.defined() && request.strength < 1)
    throw UsageError("sampling: inpainting starts from noise; a strength below 1 doesn't go with it");
  if (const Index factor = model.low_resolution(); factor > 0) {
    const Shape& sample = model.facts().sample_shape;
    if (!request.small.defined())
      throw UsageError("sampling: this model enlarges pictures by a factor of ", factor, "; --upscale names them");
    require_shape("sampling", "the pictures to enlarge", request.small.shape(),
                  {request.count, sample[0] / factor, sample[1] / factor, sample[2]});
  } else if (request.small.defined()) {
    throw UsageError("sampling: this model wasn't trained to enlarge pictures");
  }
  const Index classes = std::ssize(sample_classes(model, request));
  std::vector<Index> labels = {request.label};
  for (const Index label : request.labels)
    if (!is_none(model, request, label)) labels.push_back(label);
  for (const Index label : labels) {
    if (label >= 0 && classes == 0) {
      throw UsageError("sampling: class ", label, " requested, but this model was trained without classes");
    }
    if (label >= classes && classes > 0) {
      throw UsageError("sampling: class ", label, " doesn't exist; there are classes 0 to ", classes - 1);
    }
  }
  if (!request.labels.empty() && std::ssize(request.labels) != request.count) {
    throw UsageError("sampling: ", request.labels.size(), " labels for ", request.count, " samples");
  }
  if (request.guidance != 1 && !(model.conditional() && model.has_null_class())) {
    throw UsageError(
        "sampling: guidance requires a model trained with classes or captions and "
        "`train.label_dropout` > 0");
  }
  if (model.text_conditional() && std::ssize(request.captions) != request.count) {
    throw UsageError("sampling: this model is given captions; ", request.captions.size(), " were given for ",
                     request.count, " samples");
  }
  if (!model.text_conditional() && !(request.captions.empty() && request.negative_caption.empty())) {
    throw UsageError("sampling: a caption was given, but this model was trained without captions");
  }
  if (!request.negative_caption.empty() && request.guidance == 1) {
    throw UsageError("sampling: a negative caption has no effect without guidance; give a scale other than 1");
  }
  model.tokens_of(request.captions);  // unknown words
  if (!request.negative_caption.empty()) model.tokens_of(std::vector{request.negative_caption});
  guiding_classes(model, request);
  if (!std::isfinite(request.classifier.scale)) {
    throw UsageError("sampling: the classifier's scale is ", request.classifier.scale, "; it must be a number");
  }
}

Tensor encode(const DiffusionModel& model, const Tensor& x0, const SampleRequest& request,
              const std::function<bool(double)>& progress) {
  check_request(model, request);
  require_shape("encoding", "the samples", x0.shape(), samples_shape(model, request.count));
  const Plan plan = plan_of(model, find_sampler("ddim"), encoding_of(request));
  const std::vector<Index> conditions = conditions_of(model, request);
  const Index each = model.network().labels_per_sample();
  Tensor x_T = Tensor::uninitialized(x0.shape());
  ShardProgress report(progress, (plan.steps - 1) * x0.extent(0));
  const kernels::WithKernels scope(model.kernels());
  const auto packed = model.network().parameters.keep_packed();
  for_shards(model, request, [&](Index first, Index last) {
    const Sampling sampling{.process = plan.process,
                            .network = model.formulation().in_chain(model.with_labels(
                                part(conditions, first * each, last * each), pictures_of(model, request, first, last))),
                            .options = plan.options,
                            .observe = [&](Index, const Var&, const Var&) { report(last - first); },
                            .first_sample = first};
    x_T.rows(first, last).copy_from(ddim_reverse(sampling, x0.rows(first, last)).value());
  });
  return x_T;
}

Samples generate(const DiffusionModel& model, const Sampler& sampler, const SampleRequest& request,
                 const std::function<bool(double)>& progress) {
  check_request(model, sampler, request);
  const Plan plan = plan_of(model, sampler, request);
  const Shape all = samples_shape(model, request.count);
  if (request.start.defined()) require_shape("sampling", "the start", request.start.shape(), all);
  if (request.start_noise.defined()) require_shape("sampling", "the noise", request.start_noise.shape(), all);
  if (request.strength < 1 && !request.start.defined()) {
    throw UsageError("sampling: a strength of ", request.strength, " requires samples to start from");
  }
  if (request.inpaint.known.defined())
    require_shape("inpainting", "the known part", request.inpaint.known.shape(), all);
  Samples samples{.x = Tensor::uninitialized(all),
                  .labels = labels_of(model, request),
                  .class_names = {},
                  .captions = request.captions};
  const std::vector<Index> conditions = conditions_of(model, request);
  const Index each = model.network().labels_per_sample();
  const auto none = [&](Index label) { return is_none(model, request, label); };
  if (std::any_of(samples.labels.begin(), samples.labels.end(), none)) samples.labels.clear();
  if (!samples.labels.empty()) samples.class_names = sample_classes(model, request);
  const std::vector<Index> guiding = guiding_classes(model, request);
  const bool inpaints = request.inpaint.known.defined();
  ShardProgress report(progress,
                       (inpaints ? inpainting_steps(request.inpaint, plan.steps) : plan.steps) * request.count);
  const kernels::WithKernels scope(model.kernels());
  const auto packed = model.network().parameters.keep_packed();
  for_shards(model, request, [&](Index first, Index last) {
    const Shape shape = all.with(0, last - first);
    const std::vector<Index> labels = part(samples.labels, first, last);
    const Tensor pictures = pictures_of(model, request, first, last);
    const ConditionalNetwork network = [&](const Var& x, std::span<const double> t, std::span<const Index> classes) {
      return model(x, t, classes, {}, pictures);
    };
    const NetworkFunction guided = model.conditional()
                                       ? with_guidance(network, part(conditions, first * each, last * each),
                                                       away_from(model, request, last - first), request.guidance,
                                                       plan.process.variance_type, request.guidance_rescale)
                                       : model.with_labels({}, pictures);
    Index evaluations = 0;
    const NetworkFunction counted = [&](const Var& x, std::span<const double> t) {
      evaluations += request.guidance == 1 ? 1 : 2;
      return guided(x, t);
    };
    const Observer observer = [&](Index step, const Var& x, const Var& pred_x0) {
      report(last - first);
      if (!request.observe) return;
      const double sigma = sampler.chain ? 0 : plan.sigmas[step + 1];
      request.observe(first, step, sigma > 0 ? (x / std::sqrt(1 + sigma * sigma)).value() : x.value(), pred_x0.value());
    };
    Sampling sampling{.process = plan.process,
                      .network = model.formulation().in_chain(counted),
                      .options = plan.options,
                      .noise = seeded_noise(request.seed, shape, request.first + first, model.noise()),
                      .observe = observer,
                      .denoise = model.formulation().denoiser(counted),
                      .sigmas = plan.sigmas,
                      .first_sample = request.first + first};
    if (request.classifier.gradient) {
      std::vector<Index> towards = labels;
      if (!guiding.empty())
        for (Index& label : towards) label = guiding[label];
      sampling.classifier = [&, towards](const Var& x_t, std::span<const double> t) {
        return request.classifier.scale * request.classifier.gradient(x_t, t, towards);
      };
    }
    const Tensor start = start_of(model, request, plan.start_alpha_bar, shape, first);
    if (request.observe) request.observe(first, -1, start, {});
    samples.x.rows(first, last)
        .copy_from(request.inpaint.known.defined()
                       ? inpaint(sampler, sampling, start, request.inpaint.rows(first, last))
                       : sampler.sample(sampling, start));
    if (first == 0) samples.evaluations = evaluations;
  });
  return samples;
}

std::unique_ptr<StoredSet> Samples::as_dataset() const {
  std::unique_ptr<StoredSet> set;
  if (x.rank() == 4) {
    set = std::make_unique<ImageSet>(ImageSet::from(x));
  } else {
    auto points = std::make_unique<PointSet>();
    points->points = x;
    set = std::move(points);
  }
  set->labels = labels;
  set->class_names = class_names;
  set->captions = captions;
  return set;
}

}  // namespace reverie::inline REVERIE_PRECISION
