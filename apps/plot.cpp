// reverie plot: plots columns of tables and of runs' metrics.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "apps/cli.h"
#include "apps/files.h"
#include "apps/metrics.h"
#include "data/table_file.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::vector<std::string> inputs, y, names;
  std::string x, title, y_label, out;
  bool log_y = false;
};

// NaN for an empty field, which interrupts a line.
double number(const std::string& field, const std::string& where) {
  if (field.empty()) return NAN;
  double value = 0;
  const auto [end, problem] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (problem != std::errc() || end != field.data() + field.size()) {
    throw Error(where, ": expects a number, got \"", field, "\"");
  }
  return value;
}

// A column of X.csv, whose first line names the columns.
std::vector<double> column(const std::vector<TableRow>& rows, const std::string& name, const std::string& path) {
  const std::vector<std::string> head = rows.empty() ? std::vector<std::string>{} : rows.front().fields;
  const auto found = std::find(head.begin(), head.end(), name);
  if (found == head.end()) {
    std::string names;
    for (const std::string& field : head) names += (names.empty() ? "" : ", ") + field;
    throw UsageError(path, ": has no column \"", name, "\"; its columns are ", names.empty() ? "none" : names);
  }
  const auto place = static_cast<std::size_t>(found - head.begin());
  std::vector<double> values;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const std::string where = concat(path, ": line ", rows[i].line);
    if (rows[i].fields.size() != head.size())
      throw Error(where, ": has ", rows[i].fields.size(), " fields, and the first line names ", head.size());
    values.push_back(number(rows[i].fields[place], where));
  }
  return values;
}

// The file behind a name: a run's folder stands for its metrics.
std::string file_of(const std::string& input) {
  const std::string path = std::filesystem::is_directory(input) ? RunFolder{input}.metrics() : input;
  if (!path.ends_with(".csv") && !path.ends_with(".jsonl"))
    throw UsageError(input, ": expects X.csv, X.jsonl or the folder of a run");
  return path;
}

// Metric y over metric x ("step": the training step) of a run, where both are.
Plot::Series metrics_series(const std::string& path, const MetricsTable& table, const std::string& x,
                            const std::string& y) {
  const MetricSeries &of_y = table.of(y), &of_x = x == "step" ? of_y : table.of(x);
  Plot::Series series{y, {}, {}};
  for (std::size_t i = 0, k = 0; i < of_y.step.size(); ++i) {
    while (k < of_x.step.size() && of_x.step[k] < of_y.step[i]) ++k;
    if (k == of_x.step.size() || of_x.step[k] != of_y.step[i]) continue;
    series.x.push_back(x == "step" ? of_x.step[k] : of_x.value[k]);
    series.y.push_back(of_y.value[i]);
  }
  if (!series.x.empty()) return series;
  std::string known = table.series.empty() ? "" : "step";
  for (const auto& [name, values] : table.series) known += ", " + name;
  throw UsageError(path, ": no line has ", x, " and ", y, "; the metrics are ", known.empty() ? "none" : known);
}

/// The curves of one input, and the name of their horizontal axis.
struct Curves {
  std::string x;
  std::vector<Plot::Series> series;
};

Curves curves_of(const std::string& path, const Options& options) {
  Curves curves{options.x, {}};
  if (path.ends_with(".csv")) {
    const std::vector<TableRow> rows = read_table(path);
    if (curves.x.empty() && !rows.empty()) curves.x = rows.front().fields.front();
    for (const std::string& y : options.y)
      curves.series.push_back({y, column(rows, curves.x, path), column(rows, y, path)});
  } else {
    if (curves.x.empty()) curves.x = "step";
    const MetricsTable table = read_metrics(path);
    if (!table.problem.empty()) std::cerr << "warning: " << printable(table.problem) << "\n";
    for (const std::string& y : options.y) curves.series.push_back(metrics_series(path, table, curves.x, y));
  }
  return curves;
}

// "runs/moons/" -> "moons", "bits.csv" -> "bits"
std::string name_of(std::string input) {
  while (input.size() > 1 && input.ends_with('/')) input.pop_back();
  return std::filesystem::path(input).stem();
}

void plot(const Options& options) {
  std::vector<Input> inputs;
  for (const std::string& input : options.inputs) inputs.push_back({"an input", input});
  check_outputs({{"--out", options.out, {".svg"}}}, inputs);
  Plot plot{
      .title = options.title, .x_label = options.x, .y_label = options.y_label, .log_y = options.log_y, .series = {}};
  const bool many = options.inputs.size() > 1;
  for (const std::string& input : options.inputs) {
    Curves curves = curves_of(file_of(input), options);
    if (plot.x_label.empty()) plot.x_label = curves.x;
    for (Plot::Series& series : curves.series) {
      if (many) series.name = options.y.size() > 1 ? name_of(input) + " " + series.name : name_of(input);
      plot.series.push_back(std::move(series));
    }
  }
  if (!options.names.empty() && options.names.size() != plot.series.size()) {
    throw UsageError("--names: there are ", plot.series.size(), " curves, got ", options.names.size(), " names");
  }
  for (std::size_t i = 0; i < options.names.size(); ++i) plot.series[i].name = options.names[i];
  if (plot.y_label.empty() && options.y.size() == 1) plot.y_label = options.y.front();
  write_svg(options.out, plot);
}

}  // namespace

void add_plot(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("plot", "Plot columns of tables, or metrics of runs side by side");
  command
      ->add_option("inputs", options->inputs,
                   "Tables X.csv with names in the first line, or runs' folders or their metrics.jsonl")
      ->type_name("FILE|RUN")
      ->required();
  command->add_option("--y", options->y, "Columns or metrics to plot, e.g. validation_loss; several with commas")
      ->type_name("NAME,...")
      ->delimiter(',')
      ->required();
  command->add_option("--x", options->x, "Column for the horizontal axis [a table's first column, a run's step]")
      ->type_name("NAME");
  command->add_option("--names", options->names, "Names of the curves, with commas [the files' or columns' names]")
      ->type_name("NAME,...")
      ->delimiter(',');
  command->add_option("--title", options->title, "Title of the plot")->type_name("TEXT");
  command->add_option("--y-label", options->y_label, "Label of the vertical axis [--y]")->type_name("TEXT");
  command->add_flag("--log-y", options->log_y, "Make the vertical axis logarithmic");
  command->add_option("--out", options->out, "The plot, X.svg")->type_name("FILE")->required();
  command->footer(
      "example: reverie plot runs/demo --y loss,validation_loss --log-y --out loss.svg\n"
      "         reverie plot bits.csv --y vb --log-y --out bits.svg");
  command->callback([options] { plot(*options); });
}

}  // namespace reverie::inline REVERIE_PRECISION
