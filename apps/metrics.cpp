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
std::vector<Json> read_lines(const std::string& path) {
  constexpr std::uint64_t max_bytes = std::uint64_t{1} << 32;
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

Metrics::Metrics(const std::string& path, Index last_step) : path_(path) {
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

Plot::Series metrics_series(const std::string& path, const std::string& x, const std::string& y) {
  Plot::Series series{y, {}, {}};
  std::set<std::string> names;
  for (const Json& line : read_lines(path)) {
    for (const auto& [name, value] : line.items()) names.insert(name);
    if (!line.contains(x) || !line.contains(y)) continue;
    series.x.push_back(number(line, x.c_str()));
    series.y.push_back(number(line, y.c_str()));
  }
  if (!series.x.empty()) return series;
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  throw UsageError(path, ": no line has ", x, " and ", y, "; the metrics are ", known.empty() ? "none" : known);
}

Plot loss_curve(const std::string& metrics_path) {
  constexpr std::size_t smoothed = 5;  // lines; each is already a mean over train.log_every steps
  Plot::Series training{"training (moving mean; noisy because t is random)", {}, {}};
  Plot::Series validation{"validation (held-out data, fixed t and noise)", {}, {}};
  std::vector<double> losses;
  for (const Json& line : read_lines(metrics_path)) {
    const double step = number(line, "step");
    if (line.contains("loss")) {
      losses.push_back(number(line, "loss"));
      const std::size_t count = std::min(smoothed, losses.size());
      training.x.push_back(step);
      training.y.push_back(std::accumulate(losses.end() - static_cast<std::ptrdiff_t>(count), losses.end(), 0.0) /
                           static_cast<double>(count));
    }
    if (line.contains("validation_loss")) {
      validation.x.push_back(step);
      validation.y.push_back(number(line, "validation_loss"));
    }
  }
  Plot plot{.title = "loss", .x_label = "step", .y_label = "loss", .log_y = true, .series = {training}};
  if (!validation.x.empty()) plot.series.push_back(validation);
  return plot;
}

}  // namespace reverie::inline REVERIE_PRECISION
