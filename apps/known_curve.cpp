#include "apps/known_curve.h"

#include <algorithm>
#include <set>

#include "apps/page/assets.h"
#include "diffusion/training/resume.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Whether a key has no part in the validation loss, up to rounding or the choice of a seed.
bool is_irrelevant(const std::string& key) {
  static const std::set<std::string> keys = {"data.memory_mb",         "train.seed",       "train.shard_size",
                                             "train.accumulators",     "train.log_every",  "train.validate_every",
                                             "train.checkpoint_every", "train.keep_every", "train.preview_every",
                                             "train.preview_count"};
  return keys.contains(key) || key.starts_with("sample.") || key.starts_with("kernels.");
}

// The keys that differ and matter; nullopt if the losses can't be compared.
std::optional<std::vector<std::string>> differences(const Config& known, const Config& config) {
  constexpr std::size_t most = 3;
  std::vector<std::string> keys;
  for (const ConfigChange& change : changes(known, config, Shape{2})) {
    if (is_irrelevant(change.key)) continue;
    if (!change.key.starts_with("train.") || change.key == "train.validation_count") return std::nullopt;
    keys.push_back(change.key);
  }
  if (keys.size() > most) return std::nullopt;
  return keys;
}

MetricSeries curve(std::string_view csv) {
  MetricSeries series;
  std::istringstream text{std::string(csv)};
  for (std::string line; std::getline(text, line);) {
    const auto comma = line.find(',');
    series.step.push_back(std::stod(line.substr(0, comma)));
    series.value.push_back(std::stod(line.substr(comma + 1)));
  }
  return series;
}

}  // namespace

std::optional<KnownCurve> known_curve(const Config& config) {
  std::optional<KnownCurve> nearest;
  std::size_t fewest = ~std::size_t{0};
  for (const auto& [file, text] : assets()) {
    if (!file.ends_with(".toml")) continue;
    const std::string name = file.substr(0, file.size() - 5), path = "configs/" + file;
    const auto keys = differences(parse_config(std::string(text), path), config);
    if (!keys || keys->size() >= fewest) continue;
    fewest = keys->size();
    nearest = {path, "", curve(assets().at(name + ".csv"))};
    for (const std::string& key : *keys) nearest->differs += (nearest->differs.empty() ? "" : ", ") + key;
  }
  return nearest;
}

}  // namespace reverie::inline REVERIE_PRECISION
