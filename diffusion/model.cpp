#include "diffusion/model.h"

#include <algorithm>
#include <mutex>

#include "diffusion/samplers/sampler.h"
#include "diffusion/sigmas.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index sampling_shard = 16;  // samples a task

// How a request is met: by which sampler, over which chain or grid, and with what classes.
struct Plan {
  const Sampler& sampler;
  SamplerOptions options;
  Process process;
  std::vector<double> sigmas;  // empty for samplers of the chain
  Index steps;
  Index classes;
};

// The named grid with ends that the model was trained on, unless the request says otherwise.
std::vector<double> grid_of(const DiffusionModel& model, const SampleRequest& request, const std::string& name) {
  ParameterValues values = request.sigma_parameters;
  const SigmaRange range = model.sigma_range();
  for (const ParameterInfo& parameter : find_line("sigma grid", sigma_grids(), name).parameters) {
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
  Plan plan{sampler, options, model.process, {}, 0, model.conditional() ? model.null_class() : 0};
  const std::string grid = request.sigmas.empty() ? sampler.sigmas : request.sigmas;
  if (sampler.chain != nullptr || grid == chain_grid) {
    if (request.steps > 0) plan.process.schedule = respace(model.process.schedule, std::to_string(request.steps));
    plan.steps = plan.process.schedule.steps();
  }
  if (sampler.sigma != nullptr) {
    plan.sigmas = grid == chain_grid ? chain_grid_sigmas(plan.process.schedule) : grid_of(model, request, grid);
    plan.steps = std::ssize(plan.sigmas) - 1;
  }
  if (request.classifier.gradient) plan.classes = request.classifier.classes;
  return plan;
}

}  // namespace

DiffusionModel::DiffusionModel(const Config& config, const DataFacts& data)
    : config(config),
      data(data),
      formulation(find_formulation(config.diffusion.formulation)),
      network(make_network(config, data)),
      process(formulation.process(config)) {}

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
  return [this](const Tensor& x, std::span<const double> t) { return (*network)(x, t, {}, Mode{}).value(); };
}

ConditionalModel DiffusionModel::class_conditional() const {
  return [this](const Tensor& x, std::span<const double> t, std::span<const Index> classes) {
    return (*network)(x, t, classes, Mode{}).value();
  };
}

SampleRequest default_request(const Config& config) { return {config.sample}; }

void check_request(const DiffusionModel& model, const SampleRequest& request) {
  if (request.count < 1) throw UsageError("sampling: ", request.count, " samples; at least one must be asked for");
  const Index classes = plan_of(model, request).classes;
  if (request.label >= 0 && classes == 0) {
    throw UsageError("sampling: class ", request.label, " asked for, but this model was trained without classes");
  }
  if (request.label >= classes && classes > 0) {
    throw UsageError("sampling: class ", request.label, " doesn't exist; there are classes 0 to ", classes - 1);
  }
  if (request.guidance != 1 && (!model.conditional() || model.config.train.label_dropout == 0)) {
    throw UsageError("sampling: guidance wants a model trained with classes and `train.label_dropout` > 0");
  }
  if (model.conditional() && classes != model.null_class()) {
    throw UsageError("sampling: the classifier knows ", classes, " classes, the model ", model.null_class());
  }
  if (!(request.guidance_rescale >= 0 && request.guidance_rescale <= 1)) {
    throw UsageError("sampling: guidance rescale is ", request.guidance_rescale, "; it must be from 0 to 1");
  }
  if (!(request.dynamic_threshold >= 0 && request.dynamic_threshold <= 1)) {
    throw UsageError("sampling: dynamic threshold is ", request.dynamic_threshold, "; it must be from 0 to 1");
  }
}

Samples generate(const DiffusionModel& model, const SampleRequest& request,
                 const std::function<bool(double)>& progress) {
  check_request(model, request);
  const Plan plan = plan_of(model, request);
  Samples samples;
  if (plan.classes > 0) {
    for (Index i = 0; i < request.count; ++i)
      samples.labels.push_back(request.label >= 0 ? request.label : i % plan.classes);
  }
  std::vector<Index> extents = {request.count};
  extents.insert(extents.end(), model.data.sample_shape.begin(), model.data.sample_shape.end());
  samples.x = Tensor::uninitialized(Shape(extents));

  const auto kept = model.network->parameters.keep_prepared();
  const double all = static_cast<double>(plan.steps * request.count);
  std::mutex mutex;
  Index done = 0;
  parallel_for(request.count, sampling_shard, [&](Index first, Index last) {
    const Shape shape = samples.x.shape().with(0, last - first);
    std::vector<Index> labels;
    if (plan.classes > 0) labels.assign(samples.labels.begin() + first, samples.labels.begin() + last);
    const Model network = !model.conditional()
                              ? model.unconditional()
                              : with_guidance(model.class_conditional(), labels, model.null_class(), request.guidance,
                                              plan.process.variance_type, request.guidance_rescale);
    const Observer observe = [&](Index, const Tensor&, const Tensor&) {
      if (!progress) return;
      const std::scoped_lock lock(mutex);
      done += last - first;
      if (!progress(static_cast<double>(done) / all)) throw Error("sampling: interrupted");
    };
    Sampling sampling{.process = plan.process,
                      .model = model.in_chain(network),
                      .options = plan.options,
                      .noise = seeded_noise(request.seed, shape, first),
                      .observe = observe,
                      .denoise = model.denoiser(network, false),
                      .sigmas = plan.sigmas};
    if (request.classifier.gradient) {
      sampling.classifier = [&](const Tensor& x_t, std::span<const double> t) {
        return (request.classifier.scale * Var(request.classifier.gradient(x_t, t, labels))).value();
      };
    }
    samples.x.rows(first, last).copy_from(plan.sampler.sample(sampling, starting_noise(request.seed, shape, first)));
  });
  return samples;
}

}  // namespace reverie::inline REVERIE_PRECISION
