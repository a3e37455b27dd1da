// reverie diffuse: shows the forward process, data that turn into noise. diffusion/process/process.cpp implements it.
#include <cmath>
#include <iomanip>
#include <iostream>

#include "apps/cli.h"
#include "apps/files.h"
#include "data/subset.h"
#include "diffusion/model/config.h"
#include "diffusion/uses/edit.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string data, out, config;
  std::optional<std::string> schedule;
  std::optional<Index> steps, count;
  Index columns = 10;
  std::vector<Index> at;
  std::uint64_t seed = 0;
};

// The [diffusion] section of the file, else the default, with the flags.
DiffusionOptions diffusion_of(const Options& options) {
  Config config;
  if (!options.config.empty()) config = load_config(options.config);
  DiffusionOptions& diffusion = config.diffusion;
  if (options.schedule && *options.schedule != diffusion.schedule) {
    diffusion.schedule = *options.schedule;
    diffusion.schedule_parameters.clear();
  }
  diffusion.steps = options.steps.value_or(diffusion.steps);
  if (diffusion.steps < 1 || diffusion.steps > 100'000)
    throw UsageError("--steps ", diffusion.steps, ": expects from 1 to 100000 time steps");
  return diffusion;
}

std::vector<Index> times_of(const Options& options, Index T) {
  if (options.at.empty()) return evenly_spaced(options.columns, T);
  for (const Index t : options.at) {
    if (t < 0 || t >= T) throw UsageError("--at ", t, ": is no time step of a chain of ", T, "; expects 0 to ", T - 1);
  }
  return options.at;
}

// A line for each column: how much of the data is left.
std::string table(const NoiseSchedule& schedule, std::span<const Index> times) {
  std::ostringstream text;
  text << "       t   alpha_bar   deviation of the noise   SNR\n" << std::setprecision(3);
  for (const Index t : times) {
    const double alpha_bar = schedule.alphas_cumprod[t];
    text << std::setw(8) << t << std::setw(12) << alpha_bar << std::setw(25) << std::sqrt(1 - alpha_bar) << "   "
         << schedule.snr[t] << "\n";
  }
  return text.str();
}

void diffuse(const Options& options, const CLI::App* command) {
  require_used(command, "--columns", options.at.empty(), "with --at, which names the columns");
  check_outputs({{"--out", options.out, {".png"}}}, {{"--data", options.data}, {"--config", options.config}});
  const DiffusionOptions diffusion = diffusion_of(options);
  const auto formulation = make_formulation(diffusion);
  const Noise& added = find_noise(diffusion.noise);
  const NoiseSchedule& schedule = formulation->process().schedule;
  const std::vector<Index> times = times_of(options, schedule.steps());
  const auto set = open_dataset(options.data, toy_train);
  const bool images = set->sample_shape().rank() == 3;
  if (!images) require_gaussian(added, "--data: points");
  const Subset some(*set, options.count.value_or(images ? 8 : 2000));
  require_picture(set->sample_shape(), some.size() * (1 + std::ssize(times)));

  const Tensor x0 = samples_of(some);
  const Tensor noise = added.rows({.seed = options.seed, .stream = Stream::noise}, x0.shape(), 0);
  write_png(options.out,
            picture_of_film(forward_film(formulation->process(), x0, noise, times), 1 + std::ssize(times)));
  std::cout << printable(options.out) << ": x_0 and x_t of " << some.size() << " samples of " << printable(options.data)
            << ", " << diffusion.schedule << " schedule with " << schedule.steps() << " time steps"
            << picture_note(set->sample_shape()) << "\n"
            << table(schedule, times);
}

}  // namespace

void add_diffuse(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add_subcommand("diffuse", "Show the forward process: how noise is added to data, step by step");
  command->add_option("--data", options->data, "Image set or point set, or toy:NAME")->type_name("SET")->required();
  command
      ->add_option("--out", options->out,
                   "X.png: a row for each sample, with x_0 and then x_t in each column; of points, a panel for each "
                   "column")
      ->type_name("X.png")
      ->required();
  command->add_option("--config", options->config, "Take the chain from the [diffusion] of this configuration")
      ->type_name("FILE");
  command->add_option("--schedule", options->schedule, "Noise schedule: " + names_in(schedules()) + " [cosine]")
      ->type_name("NAME");
  command->add_option("--steps", options->steps, "Time steps of the chain [1000]")->type_name("T")->check(positive);
  command->add_option("--count", options->count, "Number of samples [8; of points 2000]")
      ->type_name("N")
      ->check(positive);
  command->add_option("--columns", options->columns, "Number of evenly spaced time steps to show [10]")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""));
  command->add_option("--at", options->at, "The time steps to show instead: 0,99,499,999 (0 is the least noisy)")
      ->type_name("T,...")
      ->delimiter(',');
  command->add_option("--seed", options->seed, "Random seed of the noise, which is the same in all columns [0]")
      ->type_name("S")
      ->check(not_negative);
  add_threads(command);
  command->footer(
      "example: reverie diffuse --data data/sets/digits-train.h5 --schedule linear \\\n"
      "             --out forward.png\n"
      "         reverie diffuse --data toy:two_moons --config configs/toy-moons.toml \\\n"
      "             --out moons.png");
  command->callback([options, command] { diffuse(*options, command); });
}

}  // namespace reverie::inline REVERIE_PRECISION
