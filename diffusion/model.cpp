#include "diffusion/model.h"

#include <atomic>
#include <mutex>

#include "diffusion/networks/mlp.h"
#include "diffusion/networks/unet.h"
#include "diffusion/samplers/sampler.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index sampling_shard = 16;  // samples a task

UNetOptions unet_options(const Config& config, const DataFacts& data, Index classes) {
  const Config::Model& m = config.model;
  const Index height = data.sample_shape[0], width = data.sample_shape[1], channels = data.sample_shape[2];
  const Index halvings = static_cast<Index>(m.channel_mult.size()) - 1, multiple = Index{1} << halvings;
  if (height % multiple != 0 || width % multiple != 0) {
    throw UsageError("config: images of ", height, "x", width, " can't be halved ", halvings,
                     " times (`model.channel_mult` has ", halvings + 1,
                     " levels); height and width must be multiples of ", multiple);
  }
  UNetOptions o{.in_channels = channels,
                .out_channels = output_channels(channels, variance_type(config.diffusion.variance)),
                .model_channels = m.channels,
                .channel_mult = m.channel_mult,
                .num_res_blocks = m.num_res_blocks,
                .attention_rates = {},
                .num_heads = m.num_heads,
                .num_head_channels = m.num_head_channels,
                .use_scale_shift_norm = m.scale_shift_norm,
                .conv_resample = m.conv_resample,
                .resblock_updown = m.resblock_updown,
                .qkv_order = m.new_attention_order ? QkvOrder::q_then_k_then_v : QkvOrder::head_by_head,
                .num_classes = classes,
                .dropout = m.dropout};
  for (const Index resolution : m.attention_resolutions) {
    Index rate = 1;
    while (rate <= multiple && height / rate != resolution) rate *= 2;
    if (rate > multiple) {
      throw UsageError("config: `model.attention_resolutions` has ", resolution, ", but images of ", height, "x", width,
                       " are never ", resolution, " pixels high in this network");
    }
    o.attention_rates.push_back(rate);
  }
  return o;
}

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

std::unique_ptr<Network> make_network(const Config& config, const DataFacts& data) {
  if (config.model.class_conditional && data.class_names.empty()) {
    throw UsageError("config: `model.class_conditional` is true, but the data has no labels");
  }
  const Index classes = config.model.class_conditional ? static_cast<Index>(data.class_names.size()) + 1 : 0;
  const auto seed = static_cast<std::uint64_t>(config.train.seed);
  if (config.model.network == "mlp") {
    if (data.sample_shape.rank() != 1) {
      throw UsageError("config: `model.network` is mlp, which learns points; samples of shape ", data.sample_shape,
                       " want unet");
    }
    const Index channels = data.sample_shape[0];
    return std::make_unique<Mlp>(
        MlpOptions{.in_channels = channels,
                   .out_channels = output_channels(channels, variance_type(config.diffusion.variance)),
                   .hidden = config.model.hidden,
                   .depth = config.model.depth,
                   .num_classes = classes},
        seed);
  }
  if (data.sample_shape.rank() != 3) {
    throw UsageError("config: `model.network` is unet, which learns images; samples of shape ", data.sample_shape,
                     " want mlp");
  }
  return std::make_unique<UNet>(unet_options(config, data, classes), seed);
}

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
