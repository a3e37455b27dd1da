#include "diffusion/model/model.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "data/image_set.h"
#include "data/point_set.h"
#include "diffusion/samplers/sampler.h"
#include "diffusion/samplers/sigmas.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index sampling_shard = 16;  // images a task; nothing is kept

// How a request is met: by which sampler, and over which chain or grid.
struct Plan {
  const Sampler& sampler;
  SamplerOptions options;
  Process process;
  std::vector<double> sigmas;  // empty for samplers of the chain
  Index steps;
};

// The named grid with ends that the model was trained on, unless the request says otherwise.
std::vector<double> grid_of(const DiffusionModel& model, const SampleRequest& request, const std::string& name) {
  OptionValues values = request.sigma_parameters;
  const SigmaRange range = model.sigma_range();
  for (const OptionInfo& parameter : find_line("sigma grid", sigma_grids(), name).parameters) {
    const bool is_end = std::string_view(parameter.name).starts_with("sigma_");
    if (is_end) values.try_emplace(parameter.name, std::clamp(parameter.value, range.min, range.max));
  }
  return make_sigmas(name, request.steps > 0 ? request.steps : model.process.schedule.steps(), values);
}

Plan plan_of(const DiffusionModel& model, const SampleRequest& request) {
  const Sampler& sampler = find_sampler(request.sampler);
  SamplerOptions options = sampler_options(sampler, request.sampler_parameters, request.solver_type);
  options.clip = request.clip;
  options.dynamic_threshold = request.dynamic_threshold;
  Plan plan{sampler, options, model.process, {}, 0};
  const std::string grid = request.sigmas.empty() ? sampler.sigmas : request.sigmas;
  if (sampler.chain != nullptr || grid == chain_grid) {
    if (request.steps > 0) plan.process.schedule = respace(model.process.schedule, std::to_string(request.steps));
    plan.steps = plan.process.schedule.steps();
  }
  if (sampler.sigma != nullptr) {
    plan.sigmas = grid == chain_grid ? chain_grid_sigmas(plan.process.schedule) : grid_of(model, request, grid);
    plan.steps = std::ssize(plan.sigmas) - 1;
  }
  return plan;
}

// DDIM without noise, whatever the request's sampler: DDIM backwards walks its chain.
SampleRequest encoding_of(SampleRequest request) {
  request.sampler = "ddim";
  request.sampler_parameters.clear();
  request.solver_type.clear();
  request.sigmas.clear();
  return request;
}

Shape samples_shape(const DiffusionModel& model, Index count) {
  std::vector<Index> extents = {count};
  extents.insert(extents.end(), model.data.sample_shape.begin(), model.data.sample_shape.end());
  return Shape(extents);
}

// Of each sample; empty where nobody knows of classes.
std::vector<Index> labels_of(const DiffusionModel& model, const SampleRequest& request) {
  const Index classes = std::ssize(sample_classes(model, request));
  if (classes == 0 || !request.labels.empty()) return request.labels;
  std::vector<Index> labels;
  for (Index i = 0; i < request.count; ++i) labels.push_back(request.label >= 0 ? request.label : i % classes);
  return labels;
}

std::vector<Index> part(const std::vector<Index>& labels, Index first, Index last) {
  return labels.empty() ? labels : std::vector<Index>(labels.begin() + first, labels.begin() + last);
}

// Adds up what several threads have done, and tells it.
class ShardProgress {
 public:
  ShardProgress(const std::function<bool(double)>& progress, Index all) : progress_(progress), all_(all) {}
  void operator()(Index steps) {
    if (!progress_) return;
    const std::scoped_lock lock(mutex_);
    done_ += steps;
    if (!progress_(static_cast<double>(done_) / static_cast<double>(all_))) throw Error("sampling: interrupted");
  }

 private:
  const std::function<bool(double)>& progress_;
  Index all_, done_ = 0;
  std::mutex mutex_;
};

}  // namespace

Index samples_at_once(const Shape& sample, Index images) {
  if (sample.rank() < 3) return 16 * images;
  return std::clamp<Index>(images * 32 * 32 / std::max<Index>(1, sample[0] * sample[1]), 1, images);
}

DiffusionModel::DiffusionModel(const Config& config, const DataFacts& data)
    : config(config),
      data(data),
      formulation(find_formulation(config.diffusion.formulation)),
      network(make_network(config, data)),
      process(formulation.process(config)),
      kernel_choice{.conv = conv_kernels(config), .operands = product_factors(config.kernels.products)} {}

Denoiser DiffusionModel::denoiser(Model network, bool clip) const {
  return off_tape(formulation.denoiser(config, process, off_tape(std::move(network)), clip));
}

DenoiserFunction DiffusionModel::differentiable_denoiser(std::vector<Index> labels) const {
  const NetworkFunction answers = [this, labels = std::move(labels)](const Var& x, std::span<const double> t) {
    return (*network)(x, t, labels, Mode{});
  };
  return formulation.denoiser(config, process, answers, false);
}

Model DiffusionModel::in_chain(Model network) const {
  return formulation.in_chain(config, process, std::move(network));
}

Model DiffusionModel::unconditional() const {
  return [this](const Tensor& x, std::span<const double> t) {
    const kernels::WithKernels scope(kernel_choice);
    return (*network)(x, t, {}, Mode{}).value();
  };
}

ConditionalModel DiffusionModel::class_conditional() const {
  return [this](const Tensor& x, std::span<const double> t, std::span<const Index> classes) {
    const kernels::WithKernels scope(kernel_choice);
    return (*network)(x, t, classes, Mode{}).value();
  };
}

const std::vector<std::string>& sample_classes(const DiffusionModel& model, const SampleRequest& request) {
  return model.conditional() ? model.data.class_names : request.classifier.class_names;
}

SampleRequest default_request(const Config& config) { return {config.sample}; }

void check_request(const DiffusionModel& model, const SampleRequest& request) {
  if (request.count < 1) throw UsageError("sampling: ", request.count, " samples; at least one must be asked for");
  plan_of(model, request);
  const Index classes = std::ssize(sample_classes(model, request));
  std::vector<Index> labels = request.labels;
  labels.push_back(request.label);
  for (const Index label : labels) {
    if (label >= 0 && classes == 0) {
      throw UsageError("sampling: class ", label, " asked for, but this model was trained without classes");
    }
    if (label >= classes && classes > 0) {
      throw UsageError("sampling: class ", label, " doesn't exist; there are classes 0 to ", classes - 1);
    }
  }
  if (!request.labels.empty() && std::ssize(request.labels) != request.count) {
    throw UsageError("sampling: ", request.labels.size(), " labels for ", request.count, " samples");
  }
  if (request.guidance != 1 && (!model.conditional() || model.config.train.label_dropout == 0)) {
    throw UsageError("sampling: guidance wants a model trained with classes and `train.label_dropout` > 0");
  }
  const std::vector<std::string>& guiding = request.classifier.class_names;
  if (model.conditional() && !guiding.empty() && guiding != model.data.class_names) {
    throw UsageError("sampling: the classifier's ", guiding.size(), " classes are not the model's ",
                     model.null_class());
  }
  if (!std::isfinite(request.classifier.scale)) {
    throw UsageError("sampling: the classifier's scale is ", request.classifier.scale, "; it must be a number");
  }
  if (!(request.guidance_rescale >= 0 && request.guidance_rescale <= 1)) {
    throw UsageError("sampling: guidance rescale is ", request.guidance_rescale, "; it must be from 0 to 1");
  }
  if (!(request.dynamic_threshold >= 0 && request.dynamic_threshold <= 1)) {
    throw UsageError("sampling: dynamic threshold is ", request.dynamic_threshold, "; it must be from 0 to 1");
  }
}

Tensor encode(const DiffusionModel& model, const Tensor& x0, const SampleRequest& request,
              const std::function<bool(double)>& progress) {
  check_request(model, request);
  require_shape("encoding", "the samples", x0.shape(), samples_shape(model, request.count));
  const Plan plan = plan_of(model, encoding_of(request));
  const std::vector<Index> labels = model.conditional() ? labels_of(model, request) : std::vector<Index>{};
  Tensor x_T = Tensor::uninitialized(x0.shape());
  ShardProgress report(progress, (plan.steps - 1) * x0.extent(0));
  const auto kept = model.network->parameters.keep_packed();
  parallel_for(x0.extent(0), samples_at_once(model.data.sample_shape, sampling_shard), [&](Index first, Index last) {
    const Model network = model.conditional() ? with_guidance(model.class_conditional(), part(labels, first, last), -1,
                                                              1, plan.process.variance_type)
                                              : model.unconditional();
    const Sampling sampling{.process = plan.process,
                            .model = model.in_chain(network),
                            .options = plan.options,
                            .observe = [&](Index, const Tensor&, const Tensor&) { report(last - first); }};
    x_T.rows(first, last).copy_from(ddim_reverse(sampling, x0.rows(first, last)));
  });
  return x_T;
}

Samples generate(const DiffusionModel& model, const SampleRequest& request,
                 const std::function<bool(double)>& progress) {
  check_request(model, request);
  const Plan plan = plan_of(model, request);
  const Shape all = samples_shape(model, request.count);
  if (request.start.defined()) require_shape("sampling", "the start", request.start.shape(), all);
  Samples samples{.x = Tensor::uninitialized(all), .labels = labels_of(model, request), .class_names = {}};
  if (!samples.labels.empty()) samples.class_names = sample_classes(model, request);
  ShardProgress report(progress, plan.steps * request.count);
  const auto kept = model.network->parameters.keep_packed();
  parallel_for(request.count, samples_at_once(model.data.sample_shape, sampling_shard), [&](Index first, Index last) {
    const Shape shape = all.with(0, last - first);
    const std::vector<Index> labels = part(samples.labels, first, last);
    const Model network = !model.conditional()
                              ? model.unconditional()
                              : with_guidance(model.class_conditional(), labels, model.null_class(), request.guidance,
                                              plan.process.variance_type, request.guidance_rescale);
    Index asked = 0;
    const Model counted = [&](const Tensor& x, std::span<const double> t) {
      asked += request.guidance == 1 ? 1 : 2;
      return network(x, t);
    };
    Sampling sampling{.process = plan.process,
                      .model = model.in_chain(counted),
                      .options = plan.options,
                      .noise = seeded_noise(request.seed, shape, first),
                      .observe = [&](Index, const Tensor&, const Tensor&) { report(last - first); },
                      .denoise = model.denoiser(counted, false),
                      .sigmas = plan.sigmas};
    if (request.classifier.gradient) {
      sampling.classifier = [&](const Tensor& x_t, std::span<const double> t) {
        return (request.classifier.scale * Var(request.classifier.gradient(x_t, t, labels))).value();
      };
    }
    const Tensor start =
        request.start.defined() ? request.start.rows(first, last).clone() : starting_noise(request.seed, shape, first);
    samples.x.rows(first, last).copy_from(plan.sampler.sample(sampling, start));
    if (first == 0) samples.evaluations = asked;
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
  return set;
}

}  // namespace reverie::inline REVERIE_PRECISION
