// reverie evaluate: what a model is worth on a data set, in bits per dimension.
#include <cstdio>
#include <iostream>

#include "apps/cli.h"
#include "apps/files.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "apps/weights.h"
#include "diffusion/evaluation.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string checkpoint, weights, data, out;
  Index count = 64;
  std::uint64_t seed = 0;
};

void evaluate(const Options& options) {
  if (!options.out.empty()) require_writable(options.out);
  const LoadedModel loaded = load(options.checkpoint, options.weights);
  const auto data = load_dataset(options.data, options.count);
  require_fits(loaded.model, *data, options.data);

  note_interrupts();
  Progress progress;
  Evaluation bound;
  try {
    bound = evaluate_bound(loaded.model, *data, options.count, options.seed,
                           progress.reporter(concat("evaluating ", data->size())));
  } catch (const Interrupted&) {
    progress.note("stopped; nothing was written");
    throw;
  }
  if (!options.out.empty()) write_text(options.out, step_table(bound));
  progress.clear();
  std::cout << loaded.origin << " on " << bound.count << " samples of " << options.data << ", seed " << options.seed
            << "; " << progress.elapsed() << "\n";
  const auto line = [](const char* name, double value, const std::string& meaning) {
    char text[160];
    std::snprintf(text, sizeof text, "  %-8s %9.4f  %s\n", name, value, meaning.c_str());
    std::cout << text;
  };
  char error[64];
  std::snprintf(error, sizeof error, "+- %.4f bits/dim", bound.standard_error);
  const std::size_t T = bound.vb.size();
  line("total", bound.total, error + std::string(" (standard error): the bound on -log2 p(x_0)"));
  line("prior", bound.prior, "L_T: what the end of the chain still tells");
  line("middle", bound.middle, concat("L_1 + ... + L_", T - 1, ": the steps of denoising"));
  line("decoder", bound.decoder, "L_0: the last step, to 8-bit values");
  if (!options.out.empty()) std::cout << options.out << ": the table of all " << T << " steps\n";
}

}  // namespace

void add_evaluate(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add_subcommand("evaluate", "Measure a model on a data set: the variational bound in bits per dimension");
  add_model(command, options->checkpoint, options->weights);
  command->add_option("--data", options->data, "Image set that the model hasn't seen")->type_name("SET")->required();
  command->add_option("--count", options->count, "Take its first N samples; each is asked about at every step [64]")
      ->type_name("N")
      ->check(positive);
  command->add_option("--seed", options->seed, "Of the noise [0]")->type_name("S");
  command->add_option("--out", options->out, "Write the terms of all steps as CSV: t,vb,mse,x0_mse")->type_name("FILE");
  add_threads(command);
  command->footer(
      "example: reverie evaluate --checkpoint runs/demo/checkpoint.h5 --data data/sets/digits-test.h5 --out bits.csv");
  command->callback([options] { evaluate(*options); });
}

}  // namespace reverie::inline REVERIE_PRECISION
