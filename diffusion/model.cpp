#include "diffusion/model.h"

#include <atomic>
#include <mutex>

#include "diffusion/samplers/sampler.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index sampling_shard = 16;  // samples a task

const Sampler& sampler_of(const DiffusionModel& model, const SampleRequest& request) {
  return find_sampler(request.sampler.empty() ? model.config.sample.sampler : request.sampler);
}

// The chain to walk: the model's, or one of fewer steps.
Process process_of(const DiffusionModel& model, const SampleRequest& request) {
  Process process = model.process;
  if (request.steps > 0) process.schedule = respace(model.process.schedule, std::to_string(request.steps));
  return process;
}

}  // namespace

DiffusionModel::DiffusionModel(const Config& config, const DataFacts& data)
    : config(config),
      data(data),
      formulation(find_formulation(config.diffusion.formulation)),
      network(make_network(config, data)),
      process(formulation.process(config)) {}

Denoiser DiffusionModel::denoiser(Model network, bool clip) const {
  return formulation.denoiser(config, process, std::move(network), clip);
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

SampleRequest default_request(const Config& config) {
  return {.sampler = config.sample.sampler,
          .steps = config.sample.steps,
          .eta = config.sample.eta,
          .guidance = config.sample.guidance};
}

void check_request(const DiffusionModel& model, const SampleRequest& request) {
  if (request.count < 1) throw UsageError("sampling: ", request.count, " samples; at least one must be asked for");
  if (request.label >= 0 && !model.conditional()) {
    throw UsageError("sampling: class ", request.label, " asked for, but this model was trained without classes");
  }
  if (request.label >= model.null_class() && model.conditional()) {
    throw UsageError("sampling: class ", request.label, " doesn't exist; the model has classes 0 to ",
                     model.null_class() - 1);
  }
  if (request.guidance != 1 && (!model.conditional() || model.config.train.label_dropout == 0)) {
    throw UsageError("sampling: guidance wants a model trained with classes and `train.label_dropout` > 0");
  }
  sampler_of(model, request);
  process_of(model, request);
}

Samples generate(const DiffusionModel& model, const SampleRequest& request,
                 const std::function<bool(double)>& progress) {
  check_request(model, request);
  const Sampler& sampler = sampler_of(model, request);
  const Process process = process_of(model, request);
  Samples samples;
  if (model.conditional()) {
    for (Index i = 0; i < request.count; ++i)
      samples.labels.push_back(request.label >= 0 ? request.label : i % model.null_class());
  }
  std::vector<Index> extents = {request.count};
  extents.insert(extents.end(), model.data.sample_shape.begin(), model.data.sample_shape.end());
  samples.x = Tensor::uninitialized(Shape(extents));

  const Index steps = process.schedule.steps();
  const double all = static_cast<double>(steps * request.count);
  std::mutex mutex;
  Index done = 0;
  parallel_for(request.count, sampling_shard, [&](Index first, Index last) {
    const Shape shape = samples.x.shape().with(0, last - first);
    const Model network =
        !model.conditional()
            ? model.unconditional()
            : with_guidance(model.class_conditional(), {samples.labels.begin() + first, samples.labels.begin() + last},
                            model.null_class(), request.guidance, process.variance_type);
    const Observer observe = [&](Index, const Tensor&, const Tensor&) {
      if (!progress) return;
      const std::scoped_lock lock(mutex);
      done += last - first;
      if (!progress(static_cast<double>(done) / all)) throw Error("sampling: interrupted");
    };
    const Sampling sampling{.process = process,
                            .model = model.in_chain(network),
                            .options = {.clip = model.config.sample.clip, .eta = request.eta},
                            .noise = seeded_noise(request.seed, shape, first),
                            .observe = observe};
    samples.x.rows(first, last).copy_from(sampler.sample(sampling, starting_noise(request.seed, shape, first)));
  });
  return samples;
}

}  // namespace reverie::inline REVERIE_PRECISION
