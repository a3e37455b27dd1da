#pragma once
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "diffusion/process/schedule.h"
#include "nn/optimizer.h"
#include "tensor/kernels/choice.h"

namespace reverie::inline REVERIE_PRECISION {

/// Everything that decides a training run, but for the data's contents. A TOML file with the sections below; the
/// fields, with what they mean, are listed once, in `config_fields`, which reads, writes, checks and explains them.
struct Config {
  struct Data {
    std::string train, validation;
    bool flip = false;
  } data;

  struct Model {
    std::string network = "unet";
    Index channels = 32;
    std::vector<double> channel_mult = {1, 2, 2};
    Index num_res_blocks = 2;
    std::vector<Index> attention_resolutions = {14};
    Index num_heads = 4, num_head_channels = -1;
    bool scale_shift_norm = true, conv_resample = true, resblock_updown = false, new_attention_order = false;
    double dropout = 0;
    Index hidden = 128, depth = 3;
    Index patch_size = 2, frequency_dim = 256;
    double mlp_ratio = 4;
    bool class_conditional = false;
  } model;

  struct Diffusion {
    std::string formulation = "chain";
    OptionValues formulation_parameters;
    std::string schedule = "cosine";
    OptionValues schedule_parameters;
    bool zero_terminal_snr = false;
    Index steps = 1000;
    std::string prediction = "eps", variance = "fixed_small", loss = "mse", decoder_cdf = "tanh";
    std::string loss_weight = "none";
    OptionValues loss_weight_parameters;
    double huber = 0;
    std::string flow_times = "logit_normal";
  } diffusion;

  struct Train {
    Index steps = 1000, batch_size = 64, shard_size = 0, lanes = 4;
    Index seed = 0;
    OptimizerOptions optimizer;
    LearningRate learning_rate;
    double clip_norm = 1;
    std::vector<double> ema_rates = {0.999};
    bool ema_warmup = true;
    double label_dropout = 0;
    std::string timestep_sampler = "uniform";
    OptionValues timestep_sampler_parameters;
    Index log_every = 50, validate_every = 250, validation_count = 256, checkpoint_every = 500, preview_every = 1000,
          preview_count = 16;
  } train;

  struct Kernels {
    std::string conv = "auto", products = "float";
  } kernels;

  struct Sample {
    std::string sampler = "ddpm";
    Index steps = 0;
    OptionValues sampler_parameters;
    std::string solver_type;
    std::string sigmas;
    OptionValues sigma_parameters;
    double guidance = 1, guidance_rescale = 0, dynamic_threshold = 0;
    bool clip = true;
  } sample;
};

/// Where a key's value lives, and what it means.
struct ConfigField {
  using Target =
      std::variant<std::string*, bool*, Index*, double*, std::vector<Index>*, std::vector<double>*, OptionValues*>;
  std::string key;  ///< "train.batch_size"
  Target target;
  std::string meaning;
};
std::vector<ConfigField> config_fields(Config& config);
/// A field's value in TOML's notation.
std::string field_text(const ConfigField& field);

/// Reads TOML text; `origin` names it in errors. Throws UsageError for bad TOML, a key that doesn't exist (naming the
/// nearest that does), a value of the wrong type.
Config parse_config(const std::string& text, const std::string& origin);
Config load_config(const std::string& path);
/// Sets one key from "key=value", the value in TOML's notation; a bare word counts as a string.
void set_config(Config& config, const std::string& assignment);
/// Checks what single keys can't show: names in tables, ranges, values that don't go together. Throws UsageError.
void check_config(const Config& config);
/// What `kernels.conv` and `kernels.products` mean.
kernels::ConvKernels conv_kernels(const Config& config);
kernels::OperandType product_factors(const std::string& products);
/// Throws UsageError "config: `KEY` WHAT" unless it holds.
void require_config(bool holds, const char* key, const std::string& what);
/// The same for a number from `least` to `most`, which keep a slip of the hand from filling the memory.
void require_range(const char* key, Index value, Index least, Index most);
/// The whole configuration as TOML; `explain` adds each key's meaning as a comment. Reading it back gives the same
/// values.
std::string config_text(const Config& config, bool explain = false);

}  // namespace reverie::inline REVERIE_PRECISION
