// reverie explain: shows the operations of a training step with their memory, FLOPs and time.
#include <algorithm>
#include <iomanip>
#include <iostream>

#include "apps/cli.h"
#include "apps/data_shape.h"
#include "apps/explanation.h"
#include "apps/files.h"
#include "diffusion/training/trainer.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string config_file, dot;
  std::vector<std::string> settings;
  DataShape data;
  bool time = false;
  int runs = 10;
};

void explain(const Options& options, const CLI::App* command) {
  require_used(command, "--runs", options.time, "without --time");
  Config config = load_config(options.config_file);
  set_config(config, options.settings);
  check_config(config);
  require_used(command, "--classes", options.data.shape.empty() || config.model.class_conditional,
               "as the model has no classes; add --set model.class_conditional=true");
  check_outputs({{"--dot", options.dot, {".dot", ".gv"}}},
                {{"--config", options.config_file}, {"the configuration", config.data.train}});
  const auto data = options.data.samples(config);
  Trainer trainer(build_model(config, facts_of(*data)), *data, config.train);
  const kernels::WithKernels scope(trainer.model().kernels());
  const ParameterStore& parameters = trainer.model().network().parameters;
  TensorList gradients(parameters.size());
  const RecordedLoss shard = trainer.first_shard();
  const TapePlan plan = plan_tape(shard, gradients);
  if (!options.dot.empty()) write_text(options.dot, plan_graph(plan, parameters));

  const Index batch = config.train.batch_size, size = std::min(trainer.options().shard_size, batch);
  const Index shards = (batch + size - 1) / size;
  Flops all;
  for (const Flops& flops : plan.flops) all += flops;
  const double step_flops = all.total() * static_cast<double>(batch) / static_cast<double>(size);
  std::cout << printable(options.config_file) << ": " << config.model.network << " for samples of shape "
            << data->sample_shape() << "\n"
            << parameters.element_count() << " parameters in " << parameters.size() << " tensors\none shard: " << size
            << " of the " << batch << " samples of a batch, "
            << (options.time ? concat(threads(), threads() == 1 ? " thread" : " threads", ", fastest of ", options.runs)
                             : std::string("forward and backward"))
            << "\n\n";
  const std::string graph = options.dot.empty() ? "" : options.dot + ": the graph, for `dot -Tsvg`\n";
  if (!options.time) {
    std::cout << plan_text(plan, parameters) << "\npeak memory of the shard, gradients included: "
              << short_number(static_cast<double>(plan.peak_bytes), "B") << "\na step of " << shards
              << (shards == 1 ? " shard: " : " shards: ") << short_number(step_flops, "FLOP") << "\n";
    std::cout << graph;
    return;
  }
  const TapeTimes times = time_tape(shard, gradients, options.runs);
  const double step = step_seconds(trainer, std::min(options.runs, 3));
  const auto ms = [](double seconds) {
    return concat(std::fixed, std::setprecision(seconds < 1 ? 2 : 0), 1e3 * seconds, " ms");
  };
  const auto rate = [](double flops, double seconds) {
    return concat(std::setprecision(3), flops / seconds / 1e9, " GFLOP/s");
  };
  std::cout << times_text(plan, times) << "\nthe shard " << ms(times.whole.total()) << " = " << ms(times.whole.forward)
            << " + " << ms(times.whole.backward) << " (median " << ms(times.median.total()) << "), "
            << rate(all.total(), times.whole.total()) << "\na whole step " << ms(step) << " (" << shards
            << (shards == 1 ? " shard, " : " shards, ") << config.train.accumulators
            << " accumulators, optimizer, EMA); " << rate(step_flops, step) << "\n"
            << graph;
}

}  // namespace

void add_explain(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add_subcommand("explain", "Show the operations of a training step, with memory, FLOPs and time");
  command->add_option("--config", options->config_file, "Configuration to explain, e.g. configs/digits.toml")
      ->type_name("FILE")
      ->required();
  command->add_option("--set", options->settings, "Override keys of the configuration, e.g. --set train.batch_size=16")
      ->type_name("KEY=VALUE");
  add_data_shape(command, options->data);
  command->add_option("--dot", options->dot, "Write the recorded operations as a graph for Graphviz, X.dot")
      ->type_name("FILE");
  command->add_flag("--time", options->time, "Time the operations forward and backward, and list the slowest first");
  command->add_option("--runs", options->runs, "With --time: report the fastest of N runs [10]")
      ->type_name("N")
      ->check(positive);
  command->add_option("--threads", "Number of threads, which split the loops of one shard [1]")
      ->type_name("N")
      ->check(CLI::Range(1, 1024).description(""));
  command->footer(
      "example: reverie explain --config configs/mnist.toml --shape 28x28x1 \\\n"
      "           --dot tape.dot\n"
      "         reverie explain --config configs/mnist.toml --shape 28x28x1 --time");
  command->callback([options, command] {
    const CLI::Option* threads = command->get_option("--threads");
    set_threads(threads->empty() ? 1 : threads->as<int>());
    explain(*options, command);
  });
}

}  // namespace reverie::inline REVERIE_PRECISION
