#include "diffusion/training/lint.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iomanip>

#include "data/subset.h"
#include "tensor/finite.h"
#include "tensor/kernels/simd/operands.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

using Warnings = std::vector<std::string>;

/// Range and standard deviation of the data.
struct Values {
  double low, high, deviation;
};

Values values_of(const Dataset& data) {
  const Tensor x = samples_of(Subset(data, 1000));
  require_finite("the training data", x);
  const auto [low, high] = std::minmax_element(x.values().begin(), x.values().end());
  double sum = 0, squares = 0;
  for (const real value : x.values()) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const double n = static_cast<double>(x.size()), mean = sum / n;
  return {static_cast<double>(*low), static_cast<double>(*high), std::sqrt(std::max(squares / n - mean * mean, 0.0))};
}

// Formats a fraction as "26%", or "1.3%" if it is small.
std::string percent(double share) {
  return concat(std::setprecision(share < 0.0995 ? 2 : 3), share < 0.0995 ? 100 * share : std::round(100 * share), "%");
}

void averages(const TrainOptions& train, Warnings& warnings) {
  for (const double rate : train.ema_rates) {
    const double share = Ema::share_of_start(rate, train.ema_warmup, train.steps);
    if (share <= 0.01) continue;
    warnings.push_back(concat("the moving average of rate ", rate, " still holds ", percent(share),
                              " of the random start after ", train.steps,
                              " steps; samples from it will be poor (a lower train.ema_rates, or ema_warmup = true, "
                              "helps)"));
  }
  if (train.learning_rate.warmup_steps >= train.steps) {
    warnings.push_back(concat("train.warmup_steps is ", train.learning_rate.warmup_steps, " and the run has ",
                              train.steps, " steps: the learning rate never gets where it should"));
  }
}

// Sampling starts from pure noise, so the noise levels of training must reach it.
// [Lin23] sec. 3.1
void end_of_noise(const Config& config, Warnings& warnings) {
  const double left = 1 / std::hypot(1, make_formulation(config.diffusion)->sigma_range().max);
  if (left > 0.05) {
    warnings.push_back(concat("the schedule ends far from noise: at its end ", percent(left),
                              " of the data (sqrt of alphas_cumprod) is left, but sampling starts from pure noise, so "
                              "brightness and colours will be off (more diffusion.steps, another schedule, or "
                              "zero_terminal_snr = true with v or x0, helps)"));
  }
  const std::string& name = config.diffusion.formulation;
  if ((name != "chain" && name != "continuous") || mean_type(config.diffusion.prediction) != MeanType::eps) return;
  constexpr double long_run = 2e6;  // samples after which the network predicts means well enough
  const double seen = static_cast<double>(config.train.steps) * static_cast<double>(config.train.batch_size);
  if (left < 1e-3 && seen < long_run) {
    warnings.push_back(concat("with eps, an error of the network at the last step is an error ", std::setprecision(2),
                              1 / left, " times as large of the data; in a run of ", seen,
                              " samples that shows as drifting brightness (diffusion.prediction = \"v\", or the linear "
                              "schedule, doesn't have it)"));
  }
}

void losses(const Config& config, Warnings& warnings) {
  const DiffusionOptions& d = config.diffusion;
  if (d.loss_weight != "none") {
    const std::vector<double> weights = loss_weights_of(d);
    const double largest = *std::max_element(weights.begin(), weights.end());
    if (largest > 1e6) {
      const bool noisiest = largest == weights.back();
      warnings.push_back(concat("diffusion.loss_weight = \"", d.loss_weight, "\" multiplies the squared error of ",
                                d.prediction, " by up to ", std::setprecision(2), largest, ", where there is ",
                                noisiest ? "most" : "least", " noise, so the network will learn hardly anything else (",
                                "min_snr, or diffusion.prediction = \"v\", doesn't have it)"));
    }
  }
  if (d.formulation == "chain" && kind(variance_type(d.variance)).learned && d.loss == "mse") {
    warnings.emplace_back(
        "diffusion.loss = \"mse\" with a learned variance gives the bound's term its full weight, which "
        "makes gradients noisy; \"rescaled_mse\" keeps it small");
  }
  const bool bound = d.formulation == "chain" && (d.loss == "kl" || d.loss == "rescaled_kl");
  if (bound && config.train.timestep_sampler != "loss_second_moment") {
    warnings.push_back(concat("the loss ", d.loss,
                              " differs by orders of magnitude between steps, so its gradient is "
                              "noisy; train.timestep_sampler = \"loss_second_moment\" was made for it"));
  }
  if (config.train.timestep_sampler == "loss_second_moment") {
    const OptionValues& given = config.train.timestep_sampler_parameters;
    const double history = given.contains("history") ? given.at("history") : 10;
    const double needed = 2 * history * static_cast<double>(d.steps);
    const double seen = static_cast<double>(config.train.steps) * static_cast<double>(config.train.batch_size);
    if (seen < 2 * needed) {
      warnings.push_back(concat("loss_second_moment waits for ", history, " losses at each of ", d.steps,
                                " steps, about ", needed, " samples, and the run has ", seen,
                                ": times will be uniform for most of it"));
    }
  }
}

void range(const Config& config, const Dataset& data, Warnings& warnings) {
  const Values values = values_of(data);
  const std::string span = concat("from ", std::setprecision(3), values.low, " to ", values.high);
  if (config.sample.clip && (values.low < -1.001 || values.high > 1.001)) {
    warnings.push_back("the data reaches " + span +
                       ", but sample.clip clamps what is predicted to [-1, 1]: set sample.clip = false");
  }
  if (values.high - values.low < 0.1) {
    warnings.push_back("all values of the data lie " + span +
                       "; images should span [-1, 1] (are the pixels 0 and 1, rather than 0 to 255?)");
  }
  if (config.diffusion.formulation != "edm") return;
  const double sigma_data = formulation_options(config.diffusion).at("sigma_data");
  if (values.deviation > 1.5 * sigma_data || values.deviation < sigma_data / 1.5) {
    warnings.push_back(concat("sigma_data is ", sigma_data, ", but the data's standard deviation is ",
                              std::setprecision(2), values.deviation,
                              ": set diffusion.formulation_parameters = { sigma_data = ", values.deviation, " }"));
  }
}

void labels_and_batches(const Config& config, const Dataset& data, Warnings& warnings) {
  if (config.model.class_conditional && config.train.label_dropout == 0) {
    warnings.emplace_back(
        "train.label_dropout is 0: samples of a class can be drawn, but not guided towards it "
        "(0.1 leaves that open)");
  }
  if (std::string empty = empty_classes(data); config.model.class_conditional && !empty.empty()) {
    warnings.push_back(std::move(empty));
  }
  if (config.train.batch_size > data.size()) {
    warnings.push_back(concat("a batch of ", config.train.batch_size, " holds the ", data.size(),
                              " samples of the data more than once"));
  }
}

// Whether all classes are named by a digit or a letter.
bool are_characters(const std::vector<std::string>& names) {
  return !names.empty() && std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return name.size() == 1 && std::isalnum(static_cast<unsigned char>(name[0])) != 0;
  });
}

void mirrors(const Config& config, const Dataset& data, Warnings& warnings) {
  if (!config.train.augmentation.flip) return;
  if (are_characters(data.class_names)) {
    warnings.push_back(concat("data.flip mirrors images, and the classes are called \"", data.class_names.front(),
                              "\" to \"", data.class_names.back(),
                              "\": if these are digits or letters, the model will draw mirrored ones too"));
  }
  const auto sided = std::find_if(data.captions.begin(), data.captions.end(), [](const std::string& caption) {
    const std::vector<std::string> words = caption_words(caption);
    return std::any_of(words.begin(), words.end(), [](const auto& word) { return word == "left" || word == "right"; });
  });
  if (sided != data.captions.end()) {
    warnings.push_back(concat("data.flip mirrors images, and captions say left or right (\"", *sided,
                              "\"): half of them will be wrong"));
  }
}

// A model that sees few images often memorises them; more images make it generalise.
// [Kadkhodaie24] sec. 2
void few_images(const Config& config, const Dataset& data, Warnings& warnings) {
  constexpr double few = 1000, often = 50;
  const double count = static_cast<double>(data.size());
  const double times = static_cast<double>(config.train.steps) * static_cast<double>(config.train.batch_size) / count;
  if (data.sample_shape().rank() != 3 || count >= few || times < often) return;
  warnings.push_back(concat(
      data.size(), " images are few, and each is seen about ", std::llround(times), " times: the model will ",
      count < 100 ? "" : "probably ", "copy them instead of drawing new ones (more images help, and fewer train.steps",
      config.train.augmentation.flip ? "" : "; so does data.flip = true, if mirrored images are right", ")"));
}

void processor(const Config& config, Warnings& warnings) {
  if (operand_type(config.kernels.products) == kernels::OperandType::bfloat16 && !kernels::bfloat16_is_faster()) {
    warnings.emplace_back(
        "kernels.products is \"bfloat16\", which this processor has no fast instructions for: "
        "\"float\" would be more exact, and faster");
  }
}

}  // namespace

std::string empty_classes(const Dataset& data) {
  std::vector<Index> counts(data.class_names.size());
  for (const Index label : data.labels) ++counts.at(static_cast<std::size_t>(label));
  const Index empty = std::count(counts.begin(), counts.end(), 0);
  if (empty == 0) return "";
  const auto first = static_cast<std::size_t>(std::find(counts.begin(), counts.end(), 0) - counts.begin());
  return concat("the data has no samples of class ", first, " (", data.class_names[first], ")",
                empty == 1 ? "" : concat(", nor of ", empty - 1, " others"), " of its ", counts.size(),
                first == 0 ? " classes; do the labels count from 1? They should count from 0"
                           : " classes; a model of them can't learn these");
}

std::vector<std::string> lint(const Config& config, const Dataset& train) {
  Warnings warnings;
  averages(config.train, warnings);
  end_of_noise(config, warnings);
  losses(config, warnings);
  range(config, train, warnings);
  labels_and_batches(config, train, warnings);
  mirrors(config, train, warnings);
  few_images(config, train, warnings);
  processor(config, warnings);
  return warnings;
}

}  // namespace reverie::inline REVERIE_PRECISION
