// The keys of a configuration, with pointers to their values and their meanings.
#include "diffusion/formulations/flow.h"
#include "diffusion/formulations/loss_weights.h"
#include "diffusion/model/config.h"
#include "diffusion/process/timestep_sampler.h"
#include "diffusion/samplers/sigmas.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The networks that read a key of [model], "unet, dit".
std::string networks_reading(const std::string& key) {
  std::string names;
  for (const NetworkKind& network : networks()) {
    for (const char* read : network.keys)
      if (key == std::string("model.") + read) names += (names.empty() ? "" : ", ") + std::string(network.name);
  }
  return names;
}

}  // namespace

std::vector<ConfigField> config_fields(Config& c) {
  std::vector<ConfigField> fields = {
      {"data.train", &c.data.train, "image set (or point set) to train on"},
      {"data.validation", &c.data.validation, "held-out set for the validation loss; empty for none"},
      {"data.flip", &c.train.flip, "mirror images at random, left to right"},
      {"model.network", &c.model.network,
       "what learns: " + names_in(networks()) + "; mlp learns points, the others images"},
      {"model.channels", &c.model.channels, "channels of the finest level, a multiple of 32"},
      {"model.channel_mult", &c.model.channel_mult, "channels of each level, as multiples"},
      {"model.num_res_blocks", &c.model.num_res_blocks, "residual blocks a level"},
      {"model.attention_resolutions", &c.model.attention_resolutions, "image heights at which there is attention"},
      {"model.num_heads", &c.model.num_heads, "attention heads"},
      {"model.num_head_channels", &c.model.num_head_channels, "if positive, heads of this width instead"},
      {"model.scale_shift_norm", &c.model.scale_shift_norm, "time scales and shifts the norms, else it is added"},
      {"model.conv_resample", &c.model.conv_resample, "convolutions where the size changes, else pooling alone"},
      {"model.resblock_updown", &c.model.resblock_updown, "residual blocks where the size changes"},
      {"model.new_attention_order", &c.model.new_attention_order, "qkv ordered q, k, v instead of head by head"},
      {"model.dropout", &c.model.dropout, "probability of dropout in residual blocks"},
      {"model.hidden", &c.model.hidden, "width: channels of a token, or of a layer"},
      {"model.depth", &c.model.depth, "number of blocks, or of residual layers"},
      {"model.patch_size", &c.model.patch_size, "a token stands for a square of so many pixels a side"},
      {"model.mlp_ratio", &c.model.mlp_ratio, "width of a block's perceptron over model.hidden"},
      {"model.frequency_dim", &c.model.frequency_dim, "channels of the sinusoids of time"},
      {"model.class_conditional", &c.model.class_conditional, "learn from the labels, to sample by class"},
      {"diffusion.formulation", &c.diffusion.formulation,
       "how the network is made a diffusion model: " + names_in(formulations())},
      {"diffusion.formulation_parameters", &c.diffusion.formulation_parameters,
       "its parameters: " + options_in(formulations())},
      {"diffusion.schedule", &c.diffusion.schedule,
       "noise schedule (continuous, edm, flow: of the chain that ddpm, ddim and the bound walk): " +
           names_in(schedules())},
      {"diffusion.schedule_parameters", &c.diffusion.schedule_parameters, "its parameters: " + options_in(schedules())},
      {"diffusion.zero_terminal_snr", &c.diffusion.zero_terminal_snr,
       "rescale the schedule so that nothing of the data is left at its end; for x0 or v"},
      {"diffusion.steps", &c.diffusion.steps, "T, the length of the chain"},
      {"diffusion.prediction", &c.diffusion.prediction, "chain, continuous: what the network predicts: eps, x0 or v"},
      {"diffusion.variance", &c.diffusion.variance, "fixed_small, fixed_large, learned or learned_range"},
      {"diffusion.loss", &c.diffusion.loss,
       "chain: mse, rescaled_mse (hybrid where the variance is learned), kl, rescaled_kl"},
      {"diffusion.decoder_cdf", &c.diffusion.decoder_cdf,
       "chain: the normal distribution function in the bound's last term: tanh, the approximation of published "
       "numbers, "
       "or exact"},
      {"diffusion.loss_weight", &c.diffusion.loss_weight,
       "chain, continuous: weight of the squared error by noise level: " + names_in(loss_weights())},
      {"diffusion.loss_weight_parameters", &c.diffusion.loss_weight_parameters,
       "its parameters: " + options_in(loss_weights())},
      {"diffusion.huber", &c.diffusion.huber,
       "if positive, errors of the prediction beyond this count linearly instead of squared (Huber)"},
      {"diffusion.flow_times", &c.diffusion.flow_times, "flow: times in training: " + names_in(flow_times())},
      {"train.steps", &c.train.steps, "updates in all"},
      {"train.batch_size", &c.train.batch_size, "samples an update"},
      {"train.shard_size", &c.train.shard_size, "samples a task; 0: as many as run forward and backward from cache"},
      {"train.accumulators", &c.train.accumulators, "partial sums of the gradient, at most so many tasks at once"},
      {"train.seed", &c.train.seed, "of everything random"},
      {"train.optimizer", &c.train.optimizer.name, "adamw, adam or sgd"},
      {"train.beta1", &c.train.optimizer.beta1, "adam, adamw: decay of the first moment"},
      {"train.beta2", &c.train.optimizer.beta2, "adam, adamw: decay of the second moment"},
      {"train.eps", &c.train.optimizer.eps, "adam, adamw: added to the denominator"},
      {"train.momentum", &c.train.optimizer.momentum, "sgd: momentum"},
      {"train.weight_decay", &c.train.optimizer.weight_decay, "adamw: decoupled; adam, sgd: added to the gradient"},
      {"train.learning_rate", &c.train.learning_rate.base, "after warm-up"},
      {"train.warmup_steps", &c.train.learning_rate.warmup_steps, "updates over which the learning rate rises from 0"},
      {"train.decay", &c.train.learning_rate.decay, "constant or cosine"},
      {"train.final_fraction", &c.train.learning_rate.final_fraction, "cosine: the last learning rate over the first"},
      {"train.clip_norm", &c.train.clip_norm, "longest gradient that is taken as it is; 0 for no limit"},
      {"train.ema_rates", &c.train.ema_rates, "moving averages of the weights; the first is what samples come from"},
      {"train.ema_warmup", &c.train.ema_warmup, "average over little at first, so that the random start is forgotten"},
      {"train.label_dropout", &c.train.label_dropout, "share of labels hidden, for classifier-free guidance"},
      {"train.timestep_sampler", &c.train.timestep_sampler,
       "how noise levels are drawn for a batch: " + names_in(timestep_samplers())},
      {"train.timestep_sampler_parameters", &c.train.timestep_sampler_parameters,
       "its parameters: " + options_in(timestep_samplers())},
      {"train.log_every", &c.train.log_every, "updates between lines of metrics"},
      {"train.validate_every", &c.train.validate_every, "updates between validations; 0 for none"},
      {"train.validation_count", &c.train.validation_count, "held-out samples of a validation"},
      {"train.checkpoint_every", &c.train.checkpoint_every, "updates between checkpoints"},
      {"train.preview_every", &c.train.preview_every, "updates between preview pictures; 0 for none"},
      {"train.preview_count", &c.train.preview_count, "samples in a preview"},
      {"kernels.conv", &c.kernels.conv,
       "3x3 convolutions: direct, winograd (faster, errors of 1e-6) or auto, what fits shape and products"},
      {"kernels.products", &c.kernels.products,
       "factors in layers' products: float, or bfloat16 (faster if the processor knows it, errors of up to 1e-2)"},
      {"sample.sampler", &c.sample.sampler, "sampler of previews, and of `reverie sample` if it isn't told another"},
      {"sample.steps", &c.sample.steps, "steps of the sampler; 0 for the whole chain"},
      {"sample.sampler_parameters", &c.sample.sampler_parameters,
       "its parameters, by name, such as eta; `reverie sample --help` lists them"},
      {"sample.solver_type", &c.sample.solver_type, "which of the sampler's formulas, where it has several; see there"},
      {"sample.sigmas", &c.sample.sigmas,
       "noise levels of samplers in the sigma form, if not the sampler's own: chain, " + names_in(sigma_grids())},
      {"sample.sigma_parameters", &c.sample.sigma_parameters, "their parameters: " + options_in(sigma_grids())},
      {"sample.guidance", &c.sample.guidance, "classifier-free guidance scale; 1 is none"},
      {"sample.guidance_rescale", &c.sample.guidance_rescale,
       "share, 0 to 1, in which guided answers get their contrast back"},
      {"sample.dynamic_threshold", &c.sample.dynamic_threshold,
       "share of each sample's values that must not saturate, such as 0.995; 0 for none"},
      {"sample.clip", &c.sample.clip, "clamp predicted data to [-1, 1]; false for points"},
  };
  for (ConfigField& field : fields) {
    if (const std::string readers = networks_reading(field.key); !readers.empty())
      field.meaning = readers + ": " + field.meaning;
  }
  return fields;
}

}  // namespace reverie::inline REVERIE_PRECISION
