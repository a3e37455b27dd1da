// The rules by which a configuration is chosen for somebody's data. They come from trainings on two cores: small
// U-Nets, v-prediction, whose colours don't drift in short runs, and as many steps as show progress.
#include "diffusion/training/chosen_config.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "diffusion/training/fine_tuning.h"
#include "tensor/decimal.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

std::string key_of(const std::string& setting) { return setting.substr(0, setting.find('=')); }

/// Fills in a configuration key by key, unless a key is set already, and notes the reasons.
class Chooser {
 public:
  Chooser(const Dataset& data, const std::vector<std::string>& settings, const Checkpoint* start)
      : data_(data), settings_(settings), start_(start) {}

  ChosenConfig choose() {
    if (start_) {
      chosen_.config = start_->config;
      chosen_.config.data = {};
      chosen_.config.sample = without_unused(chosen_.config.sample);
      chosen_.config.train = {};
      chosen_.config.train.timestep_sampler = start_->config.train.timestep_sampler;
      chosen_.config.train.timestep_sampler_parameters = start_->config.train.timestep_sampler_parameters;
    }
    set_config(chosen_.config, settings_);
    conditions();
    if (start_) {
      take_architecture(chosen_.config, *start_, data_.sample_shape(), settings_);
    } else if (data_.sample_shape().rank() == 1) {
      points();
    } else {
      images();
    }
    training();
    start_ ? note_start() : sampling();
    for (const std::string& setting : settings_) {
      const std::string key = key_of(setting);
      if (!noted(key)) chosen_.choices.push_back({key, "as set"});
    }
    return std::move(chosen_);
  }

 private:
  template <class T>
  void pick(const std::string& key, const T& value, const std::string& reason) {
    if (!given(key)) set_config(chosen_.config, concat(key, "=", value));
    chosen_.choices.push_back({key, given(key) ? "as set" : reason});
  }
  void pick(const std::string& key, bool value, const std::string& reason) {
    pick(key, std::string(value ? "true" : "false"), reason);
  }
  void pick(const std::string& key, double value, const std::string& reason) { pick(key, decimal(value), reason); }
  bool given(const std::string& key) const {
    return std::any_of(settings_.begin(), settings_.end(),
                       [&](const std::string& setting) { return key_of(setting) == key; });
  }
  bool noted(const std::string& key) const {
    return std::any_of(chosen_.choices.begin(), chosen_.choices.end(), [&](const auto& c) { return c.key == key; });
  }
  const Config& config() const { return chosen_.config; }
  Index count() const { return data_.size(); }

  void conditions();
  void note_start();
  void points();
  void images();
  void unet(Index height, Index width, Index halvings);
  void dit(Index height, Index width, Index patch);
  void process();
  void training();
  void sampling();

  const Dataset& data_;
  const std::vector<std::string>& settings_;
  const Checkpoint* start_;
  ChosenConfig chosen_;
};

/// Whether the model learns classes, captions or neither, from what the data has.
void Chooser::conditions() {
  const Index bytes = count() * data_.sample_shape().size();
  if (data_.sample_shape().rank() == 3 && bytes > chosen_memory_mb * 1'000'000) {
    pick("data.memory_mb", chosen_memory_mb, "the set is larger: it is read from its file in shuffled chunks");
  }
  const Index classes = std::ssize(data_.class_names), fewest = 5;
  const bool captions = data_.sample_shape().rank() == 3 && !Tokenizer(data_.captions).empty();
  if (captions) {
    pick("model.text_conditional", true, "the set has captions: samples can be drawn by prompt");
    pick("model.class_conditional", false, "the captions say more than classes");
  } else if (classes >= 2 && count() >= fewest * classes) {
    pick("model.text_conditional", false, "the set has no captions");
    pick("model.class_conditional", true, concat("the set has ", classes, " classes: samples can be drawn by class"));
  } else {
    pick("model.text_conditional", false, "the set has no captions");
    pick("model.class_conditional", false,
         classes < 2 ? "the set has no classes"
                     : concat("the ", classes, " classes have fewer than ", fewest, " samples each"));
  }
}

// Notes what the configuration has of the checkpoint's.
void Chooser::note_start() {
  Config defaults;
  const auto fields = config_fields(chosen_.config), usual = config_fields(defaults);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string& key = fields[i].key;
    if (!noted(key) && !key.starts_with("data.") && field_text(fields[i]) != field_text(usual[i]))
      chosen_.choices.push_back({key, given(key) ? "as set" : "as in the checkpoint"});
  }
}

void Chooser::points() {
  pick("model.network", "mlp", "points have no neighbours to convolve");
  pick("model.hidden", 128, "enough for two dimensions");
  pick("model.depth", 3, "enough for two dimensions");
  pick("diffusion.schedule", "linear", "ends in nearly pure noise after 100 steps too");
  pick("diffusion.steps", 100, "points need fewer steps than images");
  pick("diffusion.prediction", "eps", "the usual choice");
}

void Chooser::images() {
  const Index height = data_.sample_shape()[0], width = data_.sample_shape()[1];
  const Index smallest = std::min(height, width);
  Index halvings = 0;  // until the smaller side is 8 or less
  while (halvings < possible_halvings(height, width) && halvings < 5 && (smallest >> halvings) > 8) ++halvings;
  const Index lowest = (height >> halvings) * (width >> halvings);  // pixels where attention is global
  constexpr Index quick = 640, possible = 4096;
  const bool prefers_dit = given("model.network") && config().model.network == "dit";
  if (lowest <= quick && !prefers_dit) return unet(height, width, halvings);
  const Index sides = std::gcd(height, width);
  for (Index patch = 2; patch <= 8; ++patch) {
    if (sides % patch == 0 && height / patch * (width / patch) <= quick) return dit(height, width, patch);
  }
  if (lowest <= possible) return unet(height, width, halvings);
  const auto near = [](Index side) { return std::max<Index>(8, side / 8 * 8); };
  throw UsageError("images of ", height, "x", width, " can be halved only ", halvings,
                   " times and not be cut into small patches, so no network suits them; a size of ", near(height), "x",
                   near(width), " would fit, or 64x64, or 32x32 (--size)");
}

void Chooser::unet(Index height, Index width, Index halvings) {
  pick("model.network", "unet", "the usual network for images; learns from few of them");
  const bool many = count() >= 50'000;
  pick("model.channels", many ? 64 : 32,
       many ? "the set is large enough for a larger network" : "small enough to train on a CPU");
  // Half of the work is done at full resolution, so small grey images have wide layers only at the end.
  const bool small = data_.sample_shape().size() <= 1024;
  std::string mult = "[1";
  for (Index level = 1; level <= halvings; ++level) mult += small && level < halvings ? ", 1" : ", 2";
  pick("model.channel_mult", mult + "]",
       halvings == 0 ? "the images are not halved"
                     : concat("halves the images ", halvings, halvings == 1 ? " time" : " times", ", to ",
                              height >> halvings, "x", width >> halvings));
  pick("model.num_res_blocks", 1, "small enough to train on a CPU");
  pick("model.conv_resample", false, "pooling does as well, in less time");
  std::string resolutions;
  for (Index level = 0; level < std::ssize(config().model.channel_mult); ++level) {
    const Index rows = height >> level, pixels = rows * (width >> level);
    const bool last = level + 1 == std::ssize(config().model.channel_mult);
    if (height % (Index{1} << level) == 0 && (pixels <= 256 || last))
      resolutions += concat(resolutions.empty() ? "" : ", ", rows);
  }
  pick("model.attention_resolutions", "[" + resolutions + "]",
       "heights of at most 256 pixels in all, where attention is cheap, and the lowest");
  if (count() < 5000) pick("model.dropout", 0.1, "the set is small: dropout delays memorising it");
}

void Chooser::dit(Index height, Index width, Index patch) {
  pick("model.network", "dit", concat(height, "x", width, " can't be halved often enough for a U-Net"));
  pick("model.patch_size", patch,
       concat("divides both sides, which gives ", height / patch * (width / patch), " patches"));
  pick("model.hidden", 128, "small enough to train on a CPU");
  pick("model.depth", 6, "small enough to train on a CPU");
  pick("model.num_heads", 4, "32 channels per head");
}

void Chooser::training() {
  const bool image = data_.sample_shape().rank() == 3;
  if (!start_) {
    if (image) {
      pick("diffusion.schedule", "cosine", "destroys small images evenly over the steps");
      pick("diffusion.steps", 1000, "the usual number; sampling takes fewer");
      pick("diffusion.prediction", "v", "colours and brightness don't drift, as they do with eps in short runs");
    }
    pick("diffusion.variance", "fixed_small", "a learned variance helps likelihood, not samples");
    pick("diffusion.loss", "mse", "the squared error alone makes the best samples");
  }
  const Index pixels = image ? data_.sample_shape()[0] * data_.sample_shape()[1] : 1;
  const Index usual = !image ? 256 : pixels <= 1024 ? 64 : 32;
  const auto at_most = std::max<Index>(8, static_cast<Index>(std::bit_floor(static_cast<std::uint64_t>(count()))));
  pick("train.batch_size", std::min(usual, at_most),
       at_most < usual ? "not more than there are samples" : concat("usual for samples of this size"));
  const Index batch = config().train.batch_size;
  const double passes = image ? 100 : 50, n = static_cast<double>(count());
  double seen = std::clamp(passes * n, 64'000.0, 256'000.0);  // at most an hour for 32x32x3 on two cores
  if (!image) seen = 512'000;
  seen = std::max(seen, 5 * n) / (start_ ? 2 : 1);
  const auto steps = static_cast<Index>(std::ceil(seen / static_cast<double>(batch) / 100)) * 100;
  pick("train.steps", steps,
       concat("shows each of the ", count(), " samples about ", std::llround(seen / n), " times",
              start_ ? ", half of what a new model needs" : ""));
  const Index run = config().train.steps;
  const bool wide = config().model.network == "dit" || config().model.channels >= 64;
  const double rate = (!image ? 2e-3 : wide ? 5e-4 : 1e-3) / (start_ ? 4 : 1);
  pick("train.learning_rate", rate,
       start_ ? "a quarter of the usual, not to lose what was learned" : "good for networks of this size");
  pick("train.warmup_steps", std::clamp<Index>(run / 20, 1, 200), "avoids bad first steps");
  pick("train.decay", "cosine", "small last steps leave less noise in the weights");
  // The average reaches back over about a tenth of the run.
  const double memory = std::clamp(10.0 / static_cast<double>(run), 1e-4, 0.1);
  const double digit = std::pow(10, std::floor(std::log10(memory)));
  pick("train.ema_rates", concat("[", decimal(1 - std::round(memory / digit) * digit), "]"),
       "averages the weights of about the last tenth of the run");
  if (config().model.class_conditional || config().model.text_conditional)
    pick("train.label_dropout", 0.1, "makes classifier-free guidance possible");
  pick("train.checkpoint_every", std::clamp<Index>(run / 10, 50, 500), "what a crash can lose");
  pick("train.log_every", std::clamp<Index>(run / 100, 10, 100), "for loss.svg");
  pick("train.validate_every", std::clamp<Index>(run / 20, 50, 500), "shows when the model begins to copy");
  pick("train.preview_every", std::clamp<Index>(run / 5, 100, 2000), "to see it learn");
  if (!image) pick("train.preview_count", 2000, "points in a picture");
}

void Chooser::sampling() {
  const bool image = data_.sample_shape().rank() == 3;
  pick("sample.sampler", "ddpm", "its noise hides the errors of a short training");
  const bool fewer = image && config().diffusion.steps > 100 && config().diffusion.steps % 100 == 0;
  pick("sample.steps", fewer ? 100 : 0, fewer ? "nearly as good as all of them, in less time" : "all of them");
  if (!image) pick("sample.clip", false, "points may lie outside of [-1, 1]");
}

}  // namespace

Index possible_halvings(Index height, Index width) {
  return std::countr_zero(static_cast<std::uint64_t>(height | width));
}

ChosenConfig choose_config(const Dataset& data, const std::vector<std::string>& settings, const Checkpoint* start) {
  return Chooser(data, settings, start).choose();
}

std::string chosen_text(const ChosenConfig& chosen) {
  Config copy = chosen.config;                             // the fields point into a mutable configuration
  std::vector<std::pair<std::string, std::string>> lines;  // and their reasons
  std::string section, text;
  std::size_t width = 0;
  for (const ConfigField& field : config_fields(copy)) {
    const auto choice =
        std::find_if(chosen.choices.begin(), chosen.choices.end(), [&](const auto& c) { return c.key == field.key; });
    if (choice == chosen.choices.end()) continue;
    const auto dot = field.key.find('.');
    if (field.key.substr(0, dot) != section) {
      section = field.key.substr(0, dot);
      lines.emplace_back((lines.empty() ? "[" : "\n[") + section + "]", "");
    }
    lines.emplace_back(field.key.substr(dot + 1) + " = " + field_text(field), choice->reason);
    width = std::max(width, std::min<std::size_t>(lines.back().first.size(), 40));
  }
  for (const auto& [line, reason] : lines) {
    const std::size_t gap = width > line.size() ? width - line.size() : 0;
    text += line + (reason.empty() ? "" : std::string(gap + 2, ' ') + "# " + reason) + "\n";
  }
  return text;
}

}  // namespace reverie::inline REVERIE_PRECISION
