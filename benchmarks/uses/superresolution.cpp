// How near enlarged pictures are to the true ones: prints a table of docs/editing.md. Usage: superresolution CHECKPOINT
// SET [COUNT] [DRAWS]. Beside the model's samples, and the mean of several for each picture, stands what needs no
// model: repeated pixels and bicubic interpolation.
#include <cmath>
#include <cstdio>

#include "benchmarks/uses/command_line.h"
#include "data/image_set.h"
#include "data/subset.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/model/checkpoint.h"

using namespace reverie;

namespace {

// The peak signal-to-noise ratio of each image in decibels, for values in [-1, 1], after rounding to 8 bits.
std::vector<double> psnr(const Tensor& images, const Tensor& truth) {
  const Index N = truth.extent(0), each = truth.size() / N;
  std::vector<double> values;
  for (Index n = 0; n < N; ++n) {
    double squares = 0;
    for (Index i = n * each; i < (n + 1) * each; ++i)
      squares += std::pow(to_pixel(images[i]) / 255.0 - to_pixel(truth[i]) / 255.0, 2);
    values.push_back(-10 * std::log10(std::max(squares / static_cast<double>(each), 1e-10)));
  }
  return values;
}

// The cubic convolution kernel with a = -1/2: exact for parabolas.
double cubic(double x) {
  x = std::abs(x);
  return x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1 : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0;
}

// Enlarges by bicubic interpolation; pixels beyond the edge are those at the edge.
Tensor bicubic(const Tensor& small, Index factor) {
  const Index N = small.extent(0), h = small.extent(1), w = small.extent(2), C = small.extent(3);
  Tensor large = Tensor::zeros({N, h * factor, w * factor, C});
  const auto centre = [&](Index i) { return (static_cast<double>(i) + 0.5) / static_cast<double>(factor) - 0.5; };
  for (Index n = 0; n < N; ++n)
    for (Index y = 0; y < h * factor; ++y)
      for (Index x = 0; x < w * factor; ++x)
        for (Index c = 0; c < C; ++c) {
          double sum = 0;
          for (Index dy = -1; dy <= 2; ++dy)
            for (Index dx = -1; dx <= 2; ++dx) {
              const Index sy = static_cast<Index>(std::floor(centre(y))) + dy,
                          sx = static_cast<Index>(std::floor(centre(x))) + dx;
              const Index at =
                  ((n * h + std::clamp<Index>(sy, 0, h - 1)) * w + std::clamp<Index>(sx, 0, w - 1)) * C + c;
              sum += cubic(centre(y) - static_cast<double>(sy)) * cubic(centre(x) - static_cast<double>(sx)) *
                     static_cast<double>(small[at]);
            }
          large[((n * h * factor + y) * w * factor + x) * C + c] = static_cast<real>(sum);
        }
  return large;
}

void row(const char* name, const Tensor& images, const Tensor& truth, const Tensor& small, Index factor) {
  const Estimate e = bootstrap_mean(psnr(images, truth), 1000, 0);
  const Estimate reduced = bootstrap_mean(psnr(avg_pool2d(images, factor, factor).value(), small), 1000, 0);
  std::printf("| %s | %.2f (%.2f to %.2f) | %.1f |\n", name, e.value, e.interval.low, e.interval.high, reduced.value);
  std::fflush(stdout);
}

void table(const std::string& path, const std::string& data, Index count, Index draws) {
  const Checkpoint checkpoint = read_checkpoint(path);
  const DiffusionModel model = model_of(checkpoint, checkpoint.config.train.ema_rates.empty() ? "raw" : "ema", path);
  const Index factor = model.low_resolution();
  if (factor == 0) throw UsageError(path, ": wasn't trained to enlarge pictures (model.low_resolution)");
  const auto set = open_dataset(data, toy_held_out);
  SampleRequest request = default_request(checkpoint.config);
  const Subset subset(*set, count);
  request.count = subset.size();
  request.labels = require_fits(model, subset, data);
  borrow_conditions(request, model, *set);
  const Tensor truth = samples_of(subset);
  std::printf("%s, step %d, %d pictures of %s enlarged by a factor of %d:\n\n", path.c_str(),
              static_cast<int>(checkpoint.state.step), static_cast<int>(request.count), data.c_str(),
              static_cast<int>(factor));
  std::printf("| enlarged by | PSNR, dB | PSNR when reduced again, dB |\n|---|---|---|\n");
  row("repeated pixels", model.picture_of_small(request.small), truth, request.small, factor);
  row("bicubic interpolation", bicubic(request.small, factor), truth, request.small, factor);
  Var sum = Tensor::zeros(truth.shape());
  for (Index draw = 0; draw < draws; ++draw) {
    request.seed = static_cast<std::uint64_t>(draw);
    const Tensor x = generate(model, request).x;
    if (draw == 0) row("the model, a sample", x, truth, request.small, factor);
    sum = sum + x;
  }
  if (draws > 1) {
    row(concat("the model, mean of ", draws, " samples").c_str(), (sum / static_cast<double>(draws)).value(), truth,
        request.small, factor);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string checkpoint, set;
  Index count = 256, draws = 8;
  CLI::App app("Super-resolution beside bicubic interpolation");
  app.add_option("checkpoint", checkpoint, "Checkpoint of a model that enlarges pictures")->required();
  app.add_option("set", set, "Image set to reduce and enlarge")->required();
  app.add_option("count", count, "Images [256]")->check(CLI::Range(2, 100'000));
  app.add_option("draws", draws, "Samples of each image [8]")->check(CLI::Range(1, 1000));
  return with_command_line(app, argc, argv, [&] { table(checkpoint, set, count, draws); });
}
