// Checks a configuration for invalid values and values that don't go together.
#include <algorithm>
#include <map>

#include "diffusion/formulations/flow.h"
#include "diffusion/formulations/losses.h"
#include "diffusion/model/config.h"
#include "diffusion/process/timestep_sampler.h"

namespace reverie::inline REVERIE_PRECISION {

kernels::OperandType operand_type(const std::string& products) {
  const bool bfloat16 = products == "bfloat16";
  require_option(bfloat16 || products == "float", "kernels.products",
                 concat("is `", products, "`; it must be float or bfloat16"));
  return bfloat16 ? kernels::OperandType::bfloat16 : kernels::OperandType::real;
}

kernels::KernelChoice kernel_choice_of(const Config& c) {
  using kernels::ConvKernels;
  static const std::map<std::string, ConvKernels> known = {
      {"auto", ConvKernels::automatic}, {"direct", ConvKernels::direct}, {"winograd", ConvKernels::winograd}};
  const auto found = known.find(c.kernels.conv);
  require_option(found != known.end(), "kernels.conv",
                 concat("is `", c.kernels.conv, "`; it must be auto, direct or winograd"));
  return {.conv = found->second, .operands = operand_type(c.kernels.products)};
}

void check_config(const Config& c) {
  kernel_choice_of(c);
  make_formulation(c.diffusion);
  mean_type(c.diffusion.prediction);
  find_loss(c.diffusion.loss);
  find_noise(c.diffusion.noise);
  find_line("flow times", flow_times(), c.diffusion.flow_times);
  make_timestep_sampler(c.train.timestep_sampler, c.diffusion.steps, c.train.timestep_sampler_parameters);
  require_option(c.diffusion.huber >= 0, "diffusion.huber", "can't be negative");
  check_options(find_sampler(c.sample.sampler), c.sample);
  c.train.learning_rate(0);
  const auto optimizers = optimizer_names();
  require_option(std::find(optimizers.begin(), optimizers.end(), c.train.optimizer.name) != optimizers.end(),
                 "train.optimizer", "must be adamw, adam or sgd");
  find_network(c.model.network).check(c.model);
  require_range("data.shift", c.train.augmentation.shift, 0, 10'000);
  require_option(c.train.augmentation.rotation >= 0 && c.train.augmentation.rotation <= 180, "data.rotation",
                 "must be in [0, 180]");
  require_option(c.train.augmentation.brightness >= 0 && c.train.augmentation.brightness <= 2, "data.brightness",
                 "must be in [0, 2]");
  require_range("data.memory_mb", c.data.memory_mb, 0, 1'000'000'000);
  require_range("train.steps", c.train.steps, 1, 1'000'000'000);
  require_range("train.batch_size", c.train.batch_size, 1, 1'000'000);
  require_range("train.shard_size", c.train.shard_size, 0, 1'000'000);
  require_range("train.accumulators", c.train.accumulators, 1, 1024);
  const OptimizerOptions& optimizer = c.train.optimizer;
  for (const auto& [key, decay] : {std::pair{"train.beta1", optimizer.beta1},
                                   {"train.beta2", optimizer.beta2},
                                   {"train.momentum", optimizer.momentum}}) {
    require_option(decay >= 0 && decay < 1, key, "must be in [0, 1)");
  }
  require_option(optimizer.eps > 0, "train.eps", "must be positive");
  require_option(optimizer.weight_decay >= 0, "train.weight_decay", "can't be negative");
  require_option(c.train.learning_rate.base > 0, "train.learning_rate", "must be positive");
  require_option(c.train.learning_rate.warmup_steps >= 0, "train.warmup_steps", "can't be negative");
  require_option(c.train.learning_rate.final_fraction >= 0, "train.final_fraction", "can't be negative");
  require_option(c.train.clip_norm >= 0, "train.clip_norm", "can't be negative");
  require_option(
      std::all_of(c.train.ema_rates.begin(), c.train.ema_rates.end(), [](double r) { return r >= 0 && r < 1; }),
      "train.ema_rates", "must be in [0, 1)");
  require_option(c.train.label_dropout >= 0 && c.train.label_dropout < 1, "train.label_dropout", "must be in [0, 1)");
  require_option(c.train.label_dropout == 0 || c.model.class_conditional || c.model.text_conditional,
                 "train.label_dropout", "needs model.class_conditional = true or model.text_conditional = true");
  require_option(!c.model.text_conditional || !c.model.class_conditional, "model.text_conditional",
                 "and `model.class_conditional` can't both be true");
  require_option(!c.model.text_conditional || find_network(c.model.network).sample_rank == 3, "model.text_conditional",
                 "needs a network for images: unet or dit");
  require_range("model.text_width", c.model.text_width, 4, 4096);
  require_range("model.text_depth", c.model.text_depth, 0, 64);
  require_option(c.model.text_heads >= 1 && c.model.text_width % c.model.text_heads == 0, "model.text_heads",
                 concat("must divide `model.text_width`, ", c.model.text_width));
  require_option(c.model.low_resolution == 0 || c.model.low_resolution >= 2, "model.low_resolution",
                 "must be at least 2, or 0 for none");
  require_option(c.model.low_resolution == 0 || find_network(c.model.network).sample_rank == 3, "model.low_resolution",
                 "needs a network for images: unet or dit");
  require_option(c.train.low_resolution_noise >= 0 && c.train.low_resolution_noise <= 10, "train.low_resolution_noise",
                 "must be from 0 to 10");
  require_option(c.train.low_resolution_noise == 0 || c.model.low_resolution > 0, "train.low_resolution_noise",
                 "needs model.low_resolution");
  require_option(c.train.log_every > 0, "train.log_every", "must be at least 1");
  require_option(c.train.checkpoint_every > 0, "train.checkpoint_every", "must be at least 1");
  require_option(c.train.keep_every >= 0, "train.keep_every", "can't be negative");
  require_option(c.train.validate_every >= 0 && c.train.preview_every >= 0, "train.validate_every",
                 "and `train.preview_every` can't be negative");
  require_option(c.train.validation_count > 0, "train.validation_count", "must be at least 1");
  require_range("train.preview_count", c.train.preview_count, 1, 10'000);
}

void require_training_data(const Config& c) {
  require_option(!c.data.train.empty(), "data.train", "is missing: the set to train on");
}

DiffusionModel build_model(const Config& config, const DataFacts& facts) {
  auto network = make_network(config.model, facts, variance_type(config.diffusion.variance),
                              config.train.label_dropout > 0, static_cast<std::uint64_t>(config.train.seed));
  const Noise& noise = find_noise(config.diffusion.noise);
  if (facts.sample_shape.rank() != 3 && &noise != &gaussian_noise())
    throw UsageError("config: `diffusion.noise` is ", noise.name, ", which is for images; the data has points");
  return {facts, std::move(network),         make_formulation(config.diffusion), kernel_choice_of(config),
          noise, config.model.low_resolution};
}

}  // namespace reverie::inline REVERIE_PRECISION
