// The time and memory of a whole training step, or of a forward pass as sampling makes it; one line of JSON.
//   build/benchmarks/train_step --network mnist|cifar|mlp [--batch B] [--image S] [--channels C] [--threads N]
//                               [--steps K] [--forward] [--products float|bfloat16]
// `ms` is the median; `gflop` counts the operations by their formulas, whatever the kernels do; `peak_share` is the
// share of what the threads' multiply-adds could do, measured beside it; `peak_mb` the most memory that the process
// had. Peers in PyTorch, and the comparison with them, are in benchmarks/peers/.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <optional>

#include "benchmarks/peak.h"
#include "data/image_set.h"
#include "data/point_set.h"
#include "diffusion/training/trainer.h"
#include "tensor/parallel.h"

using namespace reverie;

namespace {

// The U-Net of configs/mnist.toml.
constexpr const char* mnist = R"(
[model]
network = "unet"
channels = 32
channel_mult = [1, 2, 2]
num_res_blocks = 2
attention_resolutions = [14]
[diffusion]
variance = "learned_range"
loss = "rescaled_mse"
[train]
batch_size = 64
)";
// As improved-diffusion has it for images of 32x32 in colour, with half its channels.
constexpr const char* cifar = R"(
[model]
network = "unet"
channels = 64
channel_mult = [1, 2, 2, 2]
num_res_blocks = 2
attention_resolutions = [16, 8]
[diffusion]
variance = "learned_range"
loss = "rescaled_mse"
[train]
batch_size = 16
)";
// The network of configs/toy-moons.toml.
constexpr const char* mlp = R"(
[model]
network = "mlp"
hidden = 128
depth = 3
[train]
batch_size = 256
)";
struct Task {
  const char* config;
  Shape sample;  // with a batch of one
};
const std::map<std::string, Task> tasks = {
    {"mnist", {mnist, {1, 28, 28, 1}}}, {"cifar", {cifar, {1, 32, 32, 3}}}, {"mlp", {mlp, {1, 2}}}};

std::unique_ptr<Dataset> random_set(const Shape& sample, Index count) {
  const Tensor x = normal({.seed = 1, .stream = Stream::probe}, sample.with(0, count));
  if (sample.rank() == 4) return std::make_unique<ImageSet>(ImageSet::from(x));
  auto points = std::make_unique<PointSet>();
  points->points = x;
  return points;
}

// Milliseconds of each of `steps` calls, after three that warm up.
std::vector<double> timed(Index steps, const std::function<void()>& call) {
  std::vector<double> times;
  for (Index i = -3; i < steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    call();
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    if (i >= 0) times.push_back(taken.count());
  }
  std::sort(times.begin(), times.end());
  return times;
}

// By the operations' formulas, of all samples of a batch.
double step_flops(const Trainer& trainer, const Config& config, bool forward) {
  TensorList gradients(trainer.model().network().parameters.size());
  Flops shard;
  for (const Flops& flops : plan_tape(trainer.first_shard(), gradients).flops) shard += flops;
  const double shards = static_cast<double>(config.train.batch_size) /
                        static_cast<double>(std::min(config.train.shard_size, config.train.batch_size));
  return (forward ? shard.forward : shard.total()) * shards;
}

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

struct Options {
  std::string network, products = "float";
  Index batch = 0, image = 0, channels = 0, steps = 10;
  bool forward = false;
};

void measure(const Options& options) {
  Task task = tasks.at(options.network);
  Config config = parse_config(task.config, options.network);
  config.kernels.products = options.products;
  if (options.batch > 0) config.train.batch_size = options.batch;
  const bool images = task.sample.rank() == 4;
  if (options.image > 0 && images) {
    task.sample = task.sample.with(1, options.image).with(2, options.image);
    config.model.attention_resolutions = {options.image / 4};
  }
  if (options.channels > 0) (images ? config.model.channels : config.model.hidden) = options.channels;
  const auto data = random_set(task.sample, config.train.batch_size);
  config.train = complete(config.train, data->sample_shape());
  Trainer trainer(build_model(config, facts_of(*data)), *data, config.train);
  const kernels::WithKernels scope(trainer.model().kernels());

  const Tensor x = normal({.seed = 2, .stream = Stream::probe}, task.sample.with(0, config.train.batch_size));
  const NetworkFunction model = trainer.model().with_labels({});
  const auto ask = [&] {
    parallel_for(x.extent(0), config.train.shard_size, [&](Index first, Index last) {
      model(x.rows(first, last), std::vector<double>(static_cast<std::size_t>(last - first), 500.0));
    });
  };
  std::optional<kernels::PackedWeights> kept;  // as a sampler has it, all its way
  if (options.forward) kept.emplace(trainer.model().network().parameters.values());
  const std::vector<double> times =
      timed(options.steps, [&] { options.forward ? ask() : static_cast<void>(trainer.step()); });
  const double median = times[times.size() / 2];
  const double megabytes = peak_megabytes();  // before the shard's plan adds to it
  const double gflop = step_flops(trainer, config, options.forward) / 1e9, gflops = gflop / median * 1e3;
  std::printf(
      "{\"ms\": %.3f, \"ms_min\": %.3f, \"ms_max\": %.3f, \"gflop\": %.4g, \"gflops\": %.4g, \"peak_share\": %.3f, "
      "\"peak_mb\": %.1f}\n",
      median, times.front(), times.back(), gflop, gflops, gflops / (threads() * fma_peak()), megabytes);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  int thread_count = 0;
  CLI::App program("Time and memory of a training step");
  program.add_option("--network", options.network, "mnist, cifar or mlp")->required()->check(CLI::IsMember(tasks));
  program.add_option("--batch", options.batch, "Samples a step [64, 16 and 256]")->check(CLI::PositiveNumber);
  program
      .add_option("--image", options.image, "Height and width of images, with attention at a quarter of it [28 and 32]")
      ->check(CLI::PositiveNumber);
  program.add_option("--channels", options.channels, "Channels of the first level, or of all layers [32, 64 and 128]")
      ->check(CLI::PositiveNumber);
  program.add_option("--threads", thread_count, "Threads [one a core]")->check(CLI::PositiveNumber);
  program.add_option("--steps", options.steps, "Steps to time [10]")->check(CLI::PositiveNumber);
  program.add_flag("--forward", options.forward, "The network's forward pass alone, as sampling makes it");
  program.add_option("--products", options.products, "Factors of the layers' products [float]")
      ->check(CLI::IsMember({"float", "bfloat16"}));
  CLI11_PARSE(program, argc, argv);
  set_threads(thread_count);
  try {
    measure(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_step: %s\n", error.what());
    return 1;
  }
}
