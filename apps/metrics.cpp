#include "apps/metrics.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/files.h"
#include "data/input_file.h"
#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

using Json = nlohmann::ordered_json;

// Reads the lines of a metrics file up to the first invalid one, which a crash may leave at the end.
constexpr std::uint64_t max_bytes = std::uint64_t{1} << 32;
std::vector<Json> read_lines(const std::string& path) {
  if (!std::filesystem::exists(path)) return {};
  std::istringstream file(InputFile(path).text(max_bytes));
  std::vector<Json> lines;
  for (std::string text; std::getline(file, text);) {
    Json line = Json::parse(text, nullptr, false);
    if (!line.is_object() || !line.contains("step") || !line["step"].is_number()) break;
    lines.push_back(std::move(line));
  }
  return lines;
}

double number(const Json& line, const char* name) {
  return line.contains(name) && line[name].is_number() ? line[name].get<double>() : NAN;  // JSON writes NaN as null
}

}  // namespace

Metrics::Metrics(const std::string& path, Index last_step) : path_(path), last_step_(last_step) {
  std::string kept;
  for (const Json& line : read_lines(path)) {
    if (line["step"].get<Index>() > last_step) continue;
    kept += line.dump() + "\n";
    if (line.contains("seconds")) seconds_before_ = number(line, "seconds");
    if (line["step"].get<Index>() < last_step) continue;
    for (const auto& [name, value] : line.items()) last_names_.insert(name);
  }
  write_text(path, kept);
  file_.open(path, std::ios::app);
}

void Metrics::write(Index step, const std::vector<std::pair<std::string, double>>& values) {
  Json line{{"step", step}};
  for (const auto& [name, value] : values) line[name] = value;
  file_ << line.dump() << std::endl;
  if (!file_) throw Error(path_, ": can't be written; is the disk full?");
}

const MetricSeries& MetricsTable::of(const std::string& name) const {
  static const MetricSeries none;
  const auto found = series.find(name);
  return found == series.end() ? none : found->second;
}

MetricsTable read_metrics(const std::string& path) {
  if (!std::filesystem::exists(path)) throw Error(path, ": is missing; expects the metrics of a training run");
  const std::vector<Json> lines = read_lines(path);
  MetricsTable table;
  for (const Json& line : lines) {
    for (const auto& [name, value] : line.items()) {
      if (name == "step") continue;
      MetricSeries& series = table.series[name];
      series.step.push_back(number(line, "step"));
      series.value.push_back(value.is_number() ? value.get<double>() : NAN);
    }
  }
  std::istringstream file(InputFile(path).text(max_bytes));
  Index count = 0;
  for (std::string text; std::getline(file, text);) ++count;
  if (count > std::ssize(lines)) {
    table.problem = concat(path, ": line ", lines.size() + 1, " is damaged or cut off; it and the ",
                           count - std::ssize(lines) - 1, " lines after it are left out");
  }
  return table;
}

Plot loss_curve(const std::string& metrics_path) {
  constexpr std::size_t smoothed = 5;  // lines; each is already a mean over train.log_every steps
  Plot::Series training{"training (moving mean; noisy because t is random)", {}, {}};
  Plot::Series validation{"validation (held-out data, fixed t and noise)", {}, {}};
  const MetricsTable table = read_metrics(metrics_path);
  const std::vector<double>& losses = table.of("loss").value;
  training.x = table.of("loss").step;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const std::size_t count = std::min(smoothed, i + 1);
    const auto end = losses.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    training.y.push_back(std::accumulate(end - static_cast<std::ptrdiff_t>(count), end, 0.0) /
                         static_cast<double>(count));
  }
  validation.x = table.of("validation_loss").step;
  validation.y = table.of("validation_loss").value;
  Plot plot{.title = "loss", .x_label = "step", .y_label = "loss", .log_y = true, .series = {training}};
  if (!validation.x.empty()) plot.series.push_back(validation);
  return plot;
}

}  // namespace reverie::inline REVERIE_PRECISION
