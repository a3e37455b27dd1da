#include "diffusion/model/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "diffusion/formulations/formulation.h"
#include "diffusion/formulations/loss_weights.h"
#include "diffusion/formulations/losses.h"
#include "diffusion/networks/table.h"
#include "diffusion/process/prediction.h"
#include "diffusion/process/timestep_sampler.h"
#include "diffusion/samplers/sampler.h"
#include "diffusion/samplers/sigmas.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;  // Clang 14 wants it said

// The number of letters to insert, delete or replace that turns a into b.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

[[noreturn]] void unknown_key(const std::string& origin, const std::string& key,
                              const std::vector<ConfigField>& fields) {
  const auto nearest = std::min_element(fields.begin(), fields.end(), [&](const ConfigField& a, const ConfigField& b) {
    return edit_distance(key, a.key) < edit_distance(key, b.key);
  });
  throw UsageError(origin, ": unknown key `", key, "`; did you mean `", nearest->key, "`?");
}

// The networks that read a key of the section `model`, "unet, dit".
std::string networks_reading(const std::string& key) {
  std::string names;
  for (const NetworkKind& network : networks()) {
    for (const char* read : network.keys)
      if (key == std::string("model.") + read) names += (names.empty() ? "" : ", ") + std::string(network.name);
  }
  return names;
}

template <class T>
T number(const toml::node& node, const std::string& where) {
  if constexpr (std::is_integral_v<T>) {
    if (node.is_integer()) return static_cast<T>(node.as_integer()->get());
    throw UsageError(where, " wants a whole number");
  } else {
    const double value = node.value<double>().value_or(NAN);
    if (std::isfinite(value)) return value;
    throw UsageError(where, " wants a number");
  }
}

template <class T>
void assign(std::vector<T>& list, const toml::node& node, const std::string& where) {
  if (!node.is_array()) throw UsageError(where, " wants a list, like [1, 2]");
  list.clear();
  for (const toml::node& item : *node.as_array()) list.push_back(number<T>(item, where));
}

void assign(const ConfigField& field, const toml::node& node, const std::string& origin) {
  const std::string where = origin + ": `" + field.key + "`";
  std::visit(Overloaded{[&](std::string* text) {
                          if (!node.is_string()) throw UsageError(where, " wants a string in quotes");
                          *text = node.as_string()->get();
                        },
                        [&](bool* flag) {
                          if (!node.is_boolean()) throw UsageError(where, " wants true or false");
                          *flag = node.as_boolean()->get();
                        },
                        [&](Index* value) { *value = number<Index>(node, where); },
                        [&](double* value) { *value = number<double>(node, where); },
                        [&](std::vector<Index>* list) { assign(*list, node, where); },
                        [&](std::vector<double>* list) { assign(*list, node, where); },
                        [&](OptionValues* values) {
                          if (!node.is_table()) throw UsageError(where, " wants a table, like { start = -3 }");
                          values->clear();
                          for (const auto& [name, item] : *node.as_table()) {
                            (*values)[std::string(name.str())] = number<double>(item, where);
                          }
                        }},
             field.target);
}

void assign_all(const std::vector<ConfigField>& fields, const toml::table& table, const std::string& origin,
                const std::string& prefix) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const ConfigField& f) { return f.key == key; });
    if (field != fields.end()) {
      assign(*field, node, origin);
    } else if (node.is_table() && prefix.empty()) {
      assign_all(fields, *node.as_table(), origin, key + ".");
    } else {
      unknown_key(origin, key, fields);
    }
  }
}

toml::table parse_toml(const std::string& text, const std::string& origin) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw UsageError(origin, ":", error.source().begin.line, ": ", error.description());
  }
}

// Shortest decimal that reads back as the same double, with a point so that TOML takes it for a float.
std::string decimal(double value) {
  std::ostringstream out;
  out << toml::value<double>(value);
  return out.str();
}

template <class T>
std::string listed(const std::vector<T>& list) {
  std::string text;
  for (const T& item : list) {
    text += text.empty() ? "" : ", ";
    if constexpr (std::is_integral_v<T>) {
      text += std::to_string(item);
    } else {
      text += decimal(item);
    }
  }
  return "[" + text + "]";
}

}  // namespace

void require_config(bool holds, const char* key, const std::string& what) {
  if (!holds) throw UsageError("config: `", key, "` ", what);
}

void require_range(const char* key, Index value, Index least, Index most) {
  require_config(value >= least && value <= most, key, concat("is ", value, "; it must be from ", least, " to ", most));
}

std::vector<ConfigField> config_fields(Config& c) {
  std::vector<ConfigField> fields = {
      {"data.train", &c.data.train, "image set (or point set) to train on"},
      {"data.validation", &c.data.validation, "held-out set for the validation loss; empty for none"},
      {"data.flip", &c.data.flip, "mirror images at random, left to right"},
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
      {"train.lanes", &c.train.lanes, "partial sums of the gradient, at most so many tasks at once"},
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

std::string field_text(const ConfigField& field) {
  return std::visit(Overloaded{[](const std::string* text) {
                                 std::ostringstream out;
                                 out << toml::value<std::string>(*text);
                                 return out.str();
                               },
                               [](const bool* flag) { return std::string(*flag ? "true" : "false"); },
                               [](const Index* value) { return std::to_string(*value); },
                               [](const double* value) { return decimal(*value); },
                               [](const std::vector<Index>* list) { return listed(*list); },
                               [](const std::vector<double>* list) { return listed(*list); },
                               [](const OptionValues* values) {
                                 std::string text;
                                 for (const auto& [name, value] : *values) {
                                   text += (text.empty() ? " " : ", ") + name + " = " + decimal(value);
                                 }
                                 return text.empty() ? std::string("{}") : "{" + text + " }";
                               }},
                    field.target);
}

Config parse_config(const std::string& text, const std::string& origin) {
  Config config;
  assign_all(config_fields(config), parse_toml(text, origin), origin, "");
  return config;
}

Config load_config(const std::string& path) {
  if (std::filesystem::is_directory(path)) throw UsageError(path, ": is a folder, wants a configuration file");
  std::ifstream in(path);
  if (!in) throw UsageError(path, ": can't be read; a configuration file is wanted, like configs/digits.toml");
  std::ostringstream text;
  text << in.rdbuf();
  return parse_config(text.str(), path);
}

void set_config(Config& config, const std::string& assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) throw UsageError("--set ", assignment, ": wants key=value");
  const std::string key = assignment.substr(0, equals), value = assignment.substr(equals + 1),
                    origin = "--set " + assignment;
  const auto fields = config_fields(config);
  const auto field = std::find_if(fields.begin(), fields.end(), [&](const ConfigField& f) { return f.key == key; });
  if (field == fields.end()) unknown_key("--set", key, fields);
  const bool text = std::holds_alternative<std::string*>(field->target);
  const bool quoted = !value.empty() && (value.front() == '"' || value.front() == '\'');
  const toml::table table = text && !quoted ? toml::table{{"value", value}} : parse_toml("value = " + value, origin);
  assign(*field, *table.get("value"), origin);
}

kernels::ConvKernels conv_kernels(const Config& c) {
  using kernels::ConvKernels;
  static const std::map<std::string, ConvKernels> known = {
      {"auto", ConvKernels::automatic}, {"direct", ConvKernels::direct}, {"winograd", ConvKernels::winograd}};
  const auto found = known.find(c.kernels.conv);
  require_config(found != known.end(), "kernels.conv",
                 concat("is `", c.kernels.conv, "`; it must be auto, direct or winograd"));
  return found->second;
}

kernels::OperandType product_factors(const std::string& products) {
  const bool rounded = products == "bfloat16";
  require_config(rounded || products == "float", "kernels.products",
                 concat("is `", products, "`; it must be float or bfloat16"));
  return rounded ? kernels::OperandType::bfloat16 : kernels::OperandType::real;
}

void check_config(const Config& c) {
  conv_kernels(c);
  product_factors(c.kernels.products);
  const Formulation& formulation = find_formulation(c.diffusion.formulation);
  formulation_parameters(c);
  formulation.objective(c, formulation.process(c));
  mean_type(c.diffusion.prediction);
  find_loss(c.diffusion.loss);
  find_line("flow times", flow_times(), c.diffusion.flow_times);
  make_timestep_sampler(c.train.timestep_sampler, c.diffusion.steps, c.train.timestep_sampler_parameters);
  require_config(c.diffusion.huber >= 0, "diffusion.huber", "can't be negative");
  sampler_options(find_sampler(c.sample.sampler), c.sample.sampler_parameters, c.sample.solver_type);
  if (!c.sample.sigmas.empty() && c.sample.sigmas != chain_grid) {
    find_line("sigma grid", sigma_grids(), c.sample.sigmas);
  }
  c.train.learning_rate(0);
  const auto optimizers = optimizer_names();
  require_config(std::find(optimizers.begin(), optimizers.end(), c.train.optimizer.name) != optimizers.end(),
                 "train.optimizer", "must be adamw, adam or sgd");
  find_network(c.model.network).check(c.model);
  require_config(!c.data.train.empty(), "data.train", "is missing: the set to train on");
  require_range("train.steps", c.train.steps, 1, 1'000'000'000);
  require_range("train.batch_size", c.train.batch_size, 1, 1'000'000);
  require_range("train.shard_size", c.train.shard_size, 0, 1'000'000);
  require_range("train.lanes", c.train.lanes, 1, 1024);
  const OptimizerOptions& optimizer = c.train.optimizer;
  for (const auto& [key, decay] : {std::pair{"train.beta1", optimizer.beta1},
                                   {"train.beta2", optimizer.beta2},
                                   {"train.momentum", optimizer.momentum}}) {
    require_config(decay >= 0 && decay < 1, key, "must be in [0, 1)");
  }
  require_config(optimizer.eps > 0, "train.eps", "must be positive");
  require_config(optimizer.weight_decay >= 0, "train.weight_decay", "can't be negative");
  require_config(c.train.learning_rate.base > 0, "train.learning_rate", "must be positive");
  require_config(c.train.learning_rate.warmup_steps >= 0, "train.warmup_steps", "can't be negative");
  require_config(c.train.learning_rate.final_fraction >= 0, "train.final_fraction", "can't be negative");
  require_config(c.train.clip_norm >= 0, "train.clip_norm", "can't be negative");
  require_config(
      std::all_of(c.train.ema_rates.begin(), c.train.ema_rates.end(), [](double r) { return r >= 0 && r < 1; }),
      "train.ema_rates", "must be in [0, 1)");
  require_config(c.train.label_dropout >= 0 && c.train.label_dropout < 1, "train.label_dropout", "must be in [0, 1)");
  require_config(c.train.label_dropout == 0 || c.model.class_conditional, "train.label_dropout",
                 "needs model.class_conditional = true");
  require_config(c.train.log_every > 0, "train.log_every", "must be at least 1");
  require_config(c.train.checkpoint_every > 0, "train.checkpoint_every", "must be at least 1");
  require_config(c.train.validate_every >= 0 && c.train.preview_every >= 0, "train.validate_every",
                 "and `train.preview_every` can't be negative");
  require_config(c.train.validation_count > 0, "train.validation_count", "must be at least 1");
  require_range("train.preview_count", c.train.preview_count, 1, 10'000);
}

std::string config_text(const Config& config, bool explain) {
  Config copy = config;  // the fields point into a mutable configuration
  std::string text, section;
  for (const ConfigField& field : config_fields(copy)) {
    const auto dot = field.key.find('.');
    if (field.key.substr(0, dot) != section) {
      section = field.key.substr(0, dot);
      text += (text.empty() ? "[" : "\n[") + section + "]\n";
    }
    text += field.key.substr(dot + 1) + " = " + field_text(field) + (explain ? "  # " + field.meaning : "") + "\n";
  }
  return text;
}

}  // namespace reverie::inline REVERIE_PRECISION
