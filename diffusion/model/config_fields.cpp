// The keys of a configuration: the variable behind each key, and its meaning.
#include "diffusion/formulations/flow.h"
#include "diffusion/formulations/loss_weights.h"
#include "diffusion/model/config.h"
#include "diffusion/process/timestep_sampler.h"
#include "diffusion/samplers/sigmas.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Lists the networks that read a key of [model]: "unet, dit".
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
      {"data.train", &c.data.train, "training data: an image set or a point set"},
      {"data.validation", &c.data.validation, "held-out data for the validation loss; empty for none"},
      {"data.memory_mb", &c.data.memory_mb,
       "megabytes of pixels to hold in memory; a larger image set is read from its file in shuffled chunks, as it is "
       "needed. 0: all of it"},
      {"data.flip", &c.train.augmentation.flip, "flip training images horizontally at random"},
      {"data.shift", &c.train.augmentation.shift,
       "shift training images at random, by up to this many pixels along each axis"},
      {"data.rotation", &c.train.augmentation.rotation,
       "rotate training images at random, by up to this many degrees either way"},
      {"data.brightness", &c.train.augmentation.brightness,
       "make training images brighter or darker at random, by up to this; values lie in [-1, 1]"},
      {"model.network", &c.model.network,
       "architecture: " + names_in(networks()) + "; mlp for points, the others for images"},
      {"model.channels", &c.model.channels, "channels at full resolution, a multiple of 32"},
      {"model.channel_mult", &c.model.channel_mult, "channels of each level, as multiples of model.channels"},
      {"model.num_res_blocks", &c.model.num_res_blocks, "residual blocks per level"},
      {"model.attention_resolutions", &c.model.attention_resolutions, "image heights at which to apply attention"},
      {"model.num_heads", &c.model.num_heads, "number of attention heads"},
      {"model.num_head_channels", &c.model.num_head_channels,
       "channels per attention head, instead of num_heads; -1 to use num_heads"},
      {"model.scale_shift_norm", &c.model.scale_shift_norm,
       "the time embedding scales and shifts the normalized activations; if false, it is added"},
      {"model.conv_resample", &c.model.conv_resample, "convolve when resampling; if false, only pool and upsample"},
      {"model.resblock_updown", &c.model.resblock_updown, "resample with residual blocks"},
      {"model.new_attention_order", &c.model.new_attention_order,
       "store q, k, v as three blocks of channels instead of head by head"},
      {"model.dropout", &c.model.dropout, "dropout probability in residual blocks"},
      {"model.hidden", &c.model.hidden, "width: channels of a token or of a layer"},
      {"model.depth", &c.model.depth, "number of blocks or residual layers"},
      {"model.patch_size", &c.model.patch_size, "side of a patch (one token), in pixels"},
      {"model.mlp_ratio", &c.model.mlp_ratio, "width of a block's MLP, as a multiple of model.hidden"},
      {"model.frequency_dim", &c.model.frequency_dim, "channels of the sinusoidal time embedding"},
      {"model.class_conditional", &c.model.class_conditional, "train with class labels, to sample by class"},
      {"model.text_conditional", &c.model.text_conditional, "train with captions, to sample by prompt; unet or dit"},
      {"model.text_width", &c.model.text_width, "text encoder: channels of a token"},
      {"model.text_depth", &c.model.text_depth, "text encoder: transformer blocks"},
      {"model.text_heads", &c.model.text_heads, "text encoder: attention heads; must divide model.text_width"},
      {"model.low_resolution", &c.model.low_resolution,
       "train to enlarge pictures by this factor: the network is also given each picture reduced by it; 0 for none"},
      {"diffusion.formulation", &c.diffusion.formulation, "diffusion formulation: " + names_in(formulations())},
      {"diffusion.formulation_parameters", &c.diffusion.formulation_parameters,
       "its parameters: " + options_in(formulations())},
      {"diffusion.schedule", &c.diffusion.schedule,
       "noise schedule (continuous, edm, flow: used only by ddpm, ddim and the variational bound): " +
           names_in(schedules())},
      {"diffusion.schedule_parameters", &c.diffusion.schedule_parameters, "its parameters: " + options_in(schedules())},
      {"diffusion.zero_terminal_snr", &c.diffusion.zero_terminal_snr,
       "rescale the schedule so that x_T is pure noise; requires prediction x0 or v"},
      {"diffusion.steps", &c.diffusion.steps, "T, the number of steps of the chain"},
      {"diffusion.prediction", &c.diffusion.prediction, "chain, continuous: the network predicts eps, x0 or v"},
      {"diffusion.variance", &c.diffusion.variance,
       "variance of the reverse process: fixed_small, fixed_large, learned or learned_range"},
      {"diffusion.loss", &c.diffusion.loss,
       "chain: mse, rescaled_mse (hybrid with a learned variance), kl or rescaled_kl"},
      {"diffusion.decoder_cdf", &c.diffusion.decoder_cdf,
       "chain: normal CDF in the bound's last term: exact, or tanh, the approximation behind published results"},
      {"diffusion.loss_weight", &c.diffusion.loss_weight,
       "chain, continuous: weight of the squared error by noise level: " + names_in(loss_weights())},
      {"diffusion.loss_weight_parameters", &c.diffusion.loss_weight_parameters,
       "its parameters: " + options_in(loss_weights())},
      {"diffusion.huber", &c.diffusion.huber, "if positive, use the Huber loss: linear for errors above this value"},
      {"diffusion.flow_times", &c.diffusion.flow_times,
       "flow: distribution of training times: " + names_in(flow_times())},
      {"diffusion.noise", &c.diffusion.noise,
       "noise of training and sampling: gaussian, or simplex, smooth noise to find anomalies with"},
      {"train.steps", &c.train.steps, "number of training steps"},
      {"train.batch_size", &c.train.batch_size, "samples per training step"},
      {"train.shard_size", &c.train.shard_size,
       "samples per shard, the task of one thread; 0 chooses a size that fits the cache"},
      {"train.accumulators", &c.train.accumulators,
       "gradient accumulators (partial sums over shards); limits how many shards run in parallel"},
      {"train.seed", &c.train.seed, "random seed"},
      {"train.optimizer", &c.train.optimizer.name, "optimizer: adamw, adam or sgd"},
      {"train.beta1", &c.train.optimizer.beta1, "adam, adamw: decay of the first moment"},
      {"train.beta2", &c.train.optimizer.beta2, "adam, adamw: decay of the second moment"},
      {"train.eps", &c.train.optimizer.eps, "adam, adamw: added to the denominator"},
      {"train.momentum", &c.train.optimizer.momentum, "sgd: momentum"},
      {"train.weight_decay", &c.train.optimizer.weight_decay, "adamw: decoupled; adam, sgd: added to the gradient"},
      {"train.learning_rate", &c.train.learning_rate.base, "learning rate after warm-up"},
      {"train.warmup_steps", &c.train.learning_rate.warmup_steps,
       "training steps over which the learning rate rises from 0"},
      {"train.decay", &c.train.learning_rate.decay, "learning rate schedule after warm-up: constant or cosine"},
      {"train.final_fraction", &c.train.learning_rate.final_fraction,
       "cosine: final learning rate as a fraction of learning_rate"},
      {"train.clip_norm", &c.train.clip_norm, "clip gradients with a norm above this; 0 for no clipping"},
      {"train.ema_rates", &c.train.ema_rates,
       "rates of the moving averages (EMA) of the weights; sampling uses the first"},
      {"train.ema_warmup", &c.train.ema_warmup,
       "use smaller EMA rates at first, so that the random initial weights fade"},
      {"train.label_dropout", &c.train.label_dropout,
       "fraction of labels or captions dropped, for classifier-free guidance"},
      {"train.low_resolution_noise", &c.train.low_resolution_noise,
       "deviation of the noise put into reduced pictures in training, against overfitting to them"},
      {"train.timestep_sampler", &c.train.timestep_sampler,
       "distribution of training noise levels: " + names_in(timestep_samplers())},
      {"train.timestep_sampler_parameters", &c.train.timestep_sampler_parameters,
       "its parameters: " + options_in(timestep_samplers())},
      {"train.log_every", &c.train.log_every, "training steps between lines of metrics"},
      {"train.validate_every", &c.train.validate_every, "training steps between validations; 0 for none"},
      {"train.validation_count", &c.train.validation_count, "held-out samples per validation"},
      {"train.checkpoint_every", &c.train.checkpoint_every, "training steps between checkpoints"},
      {"train.keep_every", &c.train.keep_every,
       "training steps between checkpoints that are kept, checkpoints/step-000500.h5; 0 for none"},
      {"train.preview_every", &c.train.preview_every, "training steps between preview images; 0 for none"},
      {"train.preview_count", &c.train.preview_count, "samples per preview"},
      {"kernels.conv", &c.kernels.conv,
       "algorithm for 3x3 convolutions: direct, winograd (faster, errors around 1e-6), or auto to choose by shape"},
      {"kernels.products", &c.kernels.products,
       "operands of matrix products: float, or bfloat16 (faster on CPUs that support it, errors up to 1e-2)"},
      {"sample.sampler", &c.sample.sampler, "sampler for previews, and the default of `reverie sample`"},
      {"sample.steps", &c.sample.steps, "sampling steps; 0 for the whole chain"},
      {"sample.sampler_parameters", &c.sample.sampler_parameters,
       "its parameters, e.g. eta; see `reverie sample --help`"},
      {"sample.solver_type", &c.sample.solver_type,
       "variant of the sampler, if it has several; see `reverie sample --help`"},
      {"sample.sigmas", &c.sample.sigmas,
       "noise levels of samplers in the sigma form; empty for the sampler's default: chain, " +
           names_in(sigma_grids())},
      {"sample.sigma_parameters", &c.sample.sigma_parameters, "its parameters: " + options_in(sigma_grids())},
      {"sample.guidance", &c.sample.guidance, "classifier-free guidance scale; 1 is none"},
      {"sample.guidance_rescale", &c.sample.guidance_rescale,
       "0 to 1: how far to rescale guided predictions to their unguided contrast"},
      {"sample.dynamic_threshold", &c.sample.dynamic_threshold,
       "dynamic thresholding: quantile of |x_0| to clip at, e.g. 0.995; 0 for none"},
      {"sample.clip", &c.sample.clip, "clamp predicted x_0 to [-1, 1]; false for points"},
  };
  for (ConfigField& field : fields) {
    if (const std::string readers = networks_reading(field.key); !readers.empty())
      field.meaning = readers + ": " + field.meaning;
  }
  return fields;
}

}  // namespace reverie::inline REVERIE_PRECISION
