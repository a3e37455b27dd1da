// reverie report: a page about one training run, or several side by side, and whether to train on.
#include <iostream>

#include "apps/advice.h"
#include "apps/averages.h"
#include "apps/cli.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "apps/report_page.h"
#include "tensor/gemm.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string out, classifier;
  Index averages = 0;
};

// Prints what the page says in words.
void print_advice(const RunFolder& run, const std::optional<AveragesComparison>& averages) {
  std::cout << printable(run.path) << "\n";
  for (const Advice& advice : when_to_stop(read_metrics(run.metrics())))
    std::cout << "  " << printable(advice.text) << "\n";
  if (!averages) return;
  std::cout << "  " << averages->measure << ", after step " << averages->step << ":";
  for (const auto& row : averages->rows)
    std::cout << " " << row.weights << " " << concat(std::setprecision(4), row.distance) << ";";
  std::cout << " best " << averages->best().weights << "\n";
}

void report(const Options& options, const CLI::App* command) {
  require_used(command, "--classifier", options.averages > 0, "without --averages");
  constexpr Index fewest = 32;
  if (command->count("--averages") > 0 && options.averages < fewest)
    throw UsageError("--averages ", options.averages, ": expects at least ", fewest, " samples to compare");
  if (options.out.empty() && options.runs.size() > 1)
    throw UsageError("--out is missing; it names the page that compares the runs, X.html");
  std::vector<RunFolder> runs;
  std::vector<Input> inputs = {{"--classifier", options.classifier}};
  std::vector<Output> outputs;
  for (const std::string& path : options.runs) {
    runs.push_back({path});
    for (const std::string& problem : report_problems(runs.back()))  // throws for a folder that holds no run
      std::cerr << "warning: " << printable(problem) << "\n";
    for (const std::string& file : {runs.back().metrics(), runs.back().config(), runs.back().checkpoint()})
      inputs.push_back({"the run", file});
    if (options.averages > 0) outputs.push_back({"the run", runs.back().report_part("averages.json"), {".json"}});
  }
  const std::string out = options.out.empty() ? runs.front().report() : options.out;
  if (options.averages > 0)
    for (const RunFolder& run : runs) make_folder(run.report_parts());
  outputs.push_back({"--out", out, {".html"}});
  check_outputs(outputs, inputs);
  const auto classifier = options.classifier.empty() ? nullptr : read_classifier(options.classifier);

  std::vector<std::optional<AveragesComparison>> averages(runs.size());
  if (options.averages > 0) {
    note_interrupts();
    prepare_blas();
    Progress progress;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      averages[i] =
          compare_averages(runs[i], options.averages, classifier.get(),
                           progress.reporter(concat("sampling with each average of ", printable(runs[i].path))));
      write_text(runs[i].report_part("averages.json"), averages[i]->json());
    }
  }
  write_text(out, report_page(runs));
  for (std::size_t i = 0; i < runs.size(); ++i) print_advice(runs[i], averages[i]);
  std::cout << printable(out) << ": " << (runs.size() == 1 ? "the report of this run\n" : "the runs side by side\n");
}

}  // namespace

void add_report(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(
      "report", "Show a training run, or several side by side, in a page; say whether to train on");
  command->add_option("runs", options->runs, "Folders of training runs")->type_name("RUN")->required();
  command
      ->add_option(
          "--out", options->out,
          "Page to write, X.html, which needs no other file and no network [RUN/report.html, for a single run]")
      ->type_name("X.html");
  command
      ->add_option("--averages", options->averages,
                   "Also draw this many samples with each moving average of the weights, e.g. 256, and say which are "
                   "nearest to held-out data")
      ->type_name("N")
      ->check(positive);
  command
      ->add_option("--classifier", options->classifier,
                   "With --averages: compare samples by the features of this classifier, from `reverie classifier` "
                   "[images reduced to a few pixels]")
      ->type_name("FILE");
  add_threads(command);
  command->footer(
      "example: reverie report runs/demo\n         reverie report runs/demo runs/digits --out compared.html");
  command->callback([options, command] { report(*options, command); });
}

}  // namespace reverie::inline REVERIE_PRECISION
