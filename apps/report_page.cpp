#include "apps/report_page.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/advice.h"
#include "apps/known_curve.h"
#include "apps/page/assets.h"
#include "data/input_file.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string base64(std::string_view bytes) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve(4 * (bytes.size() + 2) / 3);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) -> std::uint32_t {
      return k < bytes.size() ? static_cast<unsigned char>(bytes[k]) : 0;
    };
    const std::uint32_t three = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (std::size_t k = 0; k < 4; ++k) text += i + k > bytes.size() ? '=' : digits[three >> (18 - 6 * k) & 63];
  }
  return text;
}

// At most this many points of a series, means of neighbours, so that the page stays small however long the run is.
constexpr std::size_t most_points = 1500;

Json points(const MetricSeries& series) {
  const std::size_t count = series.step.size(), each = (count + most_points - 1) / most_points;
  Json x = Json::array(), y = Json::array();
  for (std::size_t first = 0; first < count; first += each) {
    const std::size_t last = std::min(first + each, count);
    double sum = 0;
    for (std::size_t i = first; i < last; ++i) sum += series.value[i];
    const double mean = sum / static_cast<double>(last - first);
    x.push_back(static_cast<Index>(series.step[last - 1]));
    y.push_back(std::isfinite(mean) ? Json(std::strtod(concat(std::setprecision(6), mean).c_str(), nullptr)) : Json());
  }
  return {std::move(x), std::move(y)};
}

// What one run left, as the page's script takes it.
class RunRecord {
 public:
  explicit RunRecord(const RunFolder& folder) : folder_(folder) {
    if (!fs::is_directory(folder.path)) throw Error(folder.path, ": there is no such folder; expects that of a run");
    if (!fs::exists(folder.metrics()) && !fs::exists(folder.config())) {
      throw Error(folder.path,
                  ": holds no training run, neither metrics.jsonl nor config.toml; expects the folder "
                  "that `reverie train --out` named");
    }
    json_["name"] = fs::path(folder.path).lexically_normal().filename().empty()
                        ? fs::path(folder.path).lexically_normal().parent_path().filename().string()
                        : fs::path(folder.path).lexically_normal().filename().string();
    json_["path"] = folder.path;
    read_metrics_and_config();
    read_pictures();
    for (const char* part : {"facts", "bound", "plane", "averages"}) read_part(part);
    json_["problems"] = problems_;
  }
  const Json& json() const { return json_; }
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  void problem(const std::string& text) { problems_.push_back(text); }

  void read_metrics_and_config() {
    MetricsTable metrics;
    try {
      metrics = read_metrics(folder_.metrics());
      if (!metrics.problem.empty()) problem(metrics.problem);
    } catch (const Error& error) {
      problem(error.what());
    }
    Json series = Json::object(), settings = Json::array(), advice = Json::array(), config_lines = Json::array();
    double done = 0;
    for (const auto& [name, values] : metrics.series) {
      for (const double step : values.step) done = std::max(done, step);
      if (name.find('.') == std::string::npos) {
        series[name] = points(values);
      } else {  // a setting that changed when the run was resumed
        for (std::size_t i = 0; i < values.step.size(); ++i)
          settings.push_back({{"step", values.step[i]}, {"key", name}, {"value", values.value[i]}});
      }
    }
    for (const Advice& one : when_to_stop(metrics)) {
      const char* kind = one.kind == Advice::Kind::stop ? "stop" : one.kind == Advice::Kind::go_on ? "go_on" : "note";
      advice.push_back({{"kind", kind}, {"text", one.text}});
    }
    try {
      Config config = load_config(folder_.config());
      steps_ = config.train.steps, preview_every_ = config.train.preview_every;
      for (const ConfigField& field : config_fields(config))
        config_lines.push_back({field.key, field_text(field), field.meaning});
      if (const auto known = known_curve(config)) {
        json_["curve"] = {{"config", known->config}, {"differs", known->differs}, {"points", points(known->loss)}};
      }
    } catch (const Error& error) {
      problem(error.what());
    }
    done_ = done;
    json_["done"] = static_cast<Index>(done);
    json_["steps"] = steps_;
    json_["series"] = std::move(series);
    json_["settings"] = std::move(settings);
    json_["advice"] = std::move(advice);
    json_["config"] = std::move(config_lines);
  }

  // A PNG as base64; null, with a problem, if it can't be read.
  Json picture(const std::string& path) {
    constexpr std::uint64_t most = 16 << 20;
    try {
      return base64(InputFile(path).text(most));
    } catch (const Error& error) {
      problem(error.what());
      return nullptr;
    }
  }

  void read_pictures() {
    std::map<Index, std::string> found;
    std::error_code error;
    for (fs::directory_iterator entry(folder_.previews(), error), end; !error && entry != end; entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      const Index step = std::atoll(name.substr(std::min<std::size_t>(5, name.size())).c_str());
      if (name.starts_with("step-") && entry->path() == folder_.preview(step)) found[step] = entry->path();
    }
    if (found.empty() && preview_every_ > 0 && done_ > static_cast<double>(preview_every_))
      problem(concat(folder_.previews(), ": has no previews, though one was due every ", preview_every_, " steps"));
    constexpr std::size_t most = 24;
    constexpr std::uintmax_t most_bytes = 8 << 20;
    std::uintmax_t bytes = 1;
    for (const auto& [step, path] : found) bytes += fs::file_size(path, error);
    const std::size_t fit =
        std::max<std::size_t>(1, found.size() * std::min<double>(1, double(most_bytes) / double(bytes)));
    const std::size_t shown = std::min({most, fit, found.size()});
    Json previews = Json::array(), films = Json::object();
    std::size_t number = 0;
    for (const auto& [step, path] : found) {  // evenly spaced, the last one included
      ++number;
      if (number * shown / found.size() == (number - 1) * shown / found.size()) continue;
      if (Json png = picture(path); !png.is_null()) previews.push_back({{"step", step}, {"png", std::move(png)}});
    }
    if (fs::exists(folder_.samples()) && done_ >= static_cast<double>(steps_))
      json_["samples"] = picture(folder_.samples());
    for (const char* film : {"forward", "reverse", "predicted"}) {
      const std::string path = folder_.report_part(concat(film, ".png"));
      if (fs::exists(path)) films[film] = picture(path);
    }
    json_["previews"] = std::move(previews);
    json_["films"] = std::move(films);
  }

  void read_part(const std::string& name) {
    const std::string path = folder_.report_part(name + ".json");
    if (!fs::exists(path)) return;
    try {
      constexpr std::uint64_t most = 64 << 20;
      Json part = Json::parse(InputFile(path).text(most), nullptr, false);
      if (!part.is_object()) throw Error(path, ": is damaged; it is left out");
      json_[name] = std::move(part);
    } catch (const Error& error) {
      problem(error.what());
    }
  }

  RunFolder folder_;
  Json json_;
  std::vector<std::string> problems_;
  Index steps_ = 0, preview_every_ = 0;
  double done_ = 0;
};

// Replaces {{NAME}} in the page by each of the texts.
std::string filled(std::string_view page, const std::map<std::string, std::string>& texts) {
  std::string out;
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t begin = std::min(page.find("{{", at), page.size());
    out += page.substr(at, begin - at);
    if (begin == page.size()) break;
    const std::size_t end = page.find("}}", begin);
    out += texts.at(std::string(page.substr(begin + 2, end - begin - 2)));
    at = end + 2;
  }
  return out;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

}  // namespace

std::string report_page(const std::vector<RunFolder>& runs) {
  Json data = {{"version", REVERIE_VERSION}, {"runs", Json::array()}};
  std::string title;
  for (const RunFolder& run : runs) {
    data["runs"].push_back(RunRecord(run).json());
    title += (title.empty() ? "" : ", ") + data["runs"].back()["name"].get<std::string>();
  }
  // A name may not be UTF-8, and `<` could end the script that holds the data.
  std::string text;
  for (const char c : data.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    if (c == '<')
      text += "\\u003c";
    else
      text += c;
  }
  std::map<std::string, std::string> texts = {{"title", escaped(printable(title))}, {"data", text}};
  for (const char* part : {"page.css", "page.js", "plane.js", "uPlot.css", "uPlot.js"}) texts[part] = assets().at(part);
  return filled(assets().at("page.html"), texts);
}

std::vector<std::string> report_problems(const RunFolder& run) { return RunRecord(run).problems(); }

}  // namespace reverie::inline REVERIE_PRECISION
