// Prints the second table of docs/samplers.md: every sampler with some numbers of steps, by the Frechet distance of
// what it draws from a checkpoint to data. Usage: sampler_quality CHECKPOINT CLASSIFIER DATA [COUNT]
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>

#include "diffusion/evaluation/comparison.h"
#include "diffusion/metrics/frechet.h"
#include "diffusion/model/checkpoint.h"
#include "diffusion/samplers/sampler.h"

using namespace reverie;

namespace {

constexpr Index step_counts[] = {5, 10, 20, 50};

// "12.3 (11.8 to 12.9)": the distance with its bootstrap interval.
std::string distance(const Tensor& samples, const Tensor& data) {
  const double value = frechet_distance(samples, data);
  const Interval interval = bootstrap_interval(value, 100, [&](Index replicate) {
    return frechet_distance(moments(samples, resample(samples.extent(0), 0, replicate, 0)),
                            moments(data, resample(data.extent(0), 0, replicate, 1)));
  });
  char text[80];
  std::snprintf(text, sizeof text, "%.2f (%.2f to %.2f)", value, interval.low, interval.high);
  return text;
}

void table(const std::string& checkpoint_path, const std::string& classifier_path, const std::string& data_path,
           Index count) {
  const Checkpoint checkpoint = read_checkpoint(checkpoint_path);
  const DiffusionModel model =
      model_of(checkpoint, checkpoint.config.train.ema_rates.empty() ? "raw" : "ema", checkpoint_path);
  const auto classifier = read_classifier(classifier_path);
  const auto data = load_dataset(data_path);
  const Judge judge(*data, classifier.get());
  const Tensor real = judge.look_at(*data, 2000).features;

  std::printf("%s (step %d), %d samples against %d of %s:\n\n| sampler |", checkpoint_path.c_str(),
              static_cast<int>(checkpoint.state.step), static_cast<int>(count), static_cast<int>(real.extent(0)),
              data_path.c_str());
  for (const Index steps : step_counts) std::printf(" %d steps |", static_cast<int>(steps));
  std::printf(" evaluations |\n|---|");
  for (std::size_t i = 0; i < std::size(step_counts); ++i) std::printf("---|");
  std::printf("---|\n");
  for (const Sampler& sampler : samplers()) {
    std::printf("| %s |", sampler.name);
    std::string evaluations;
    for (const Index steps : step_counts) {
      SampleRequest request = default_request(checkpoint.config);
      request.sampler = sampler.name;
      request.sampler_parameters.clear(), request.solver_type.clear();
      request.sigmas.clear(), request.sigma_parameters.clear();
      request.steps = steps;
      request.count = count;
      const Samples samples = generate(model, request);
      std::printf(" %s |", distance(judge.look_at(*samples.as_dataset(), count).features, real).c_str());
      std::fflush(stdout);
      evaluations += (evaluations.empty() ? "" : ", ") + std::to_string(samples.evaluations);
    }
    std::printf(" %s |\n", evaluations.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Index count = argc == 5 ? std::atoll(argv[4]) : 512;
    if (argc < 4 || argc > 5 || count < 2) {
      throw UsageError("sampler_quality CHECKPOINT CLASSIFIER DATA [COUNT]: expects three files and a number from 2");
    }
    table(argv[1], argv[2], argv[3], count);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return dynamic_cast<const UsageError*>(&error) != nullptr ? 2 : 1;
  }
}
