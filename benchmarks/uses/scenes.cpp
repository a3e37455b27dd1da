// How often a text-to-image model draws what the caption says: prints the table of docs/text-to-image.md. Prompts are
// drawn from the grammar of data/scenes.h, from combinations that training has seen and from those that it has not; a
// detector reads the samples. Usage: scenes CHECKPOINT [COUNT] [GUIDANCE]
#include <array>
#include <cstdio>
#include <exception>
#include <iostream>

#include "data/scene_detector.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/model/checkpoint.h"

using namespace reverie;

namespace {

struct Scores {
  std::array<std::vector<double>, 3> attributes;  // shares of right sizes, colours and shapes, per sample
  std::vector<double> all, relations, exact;      // ... of right attributes, relations, whole scenes

  void add(const SceneScore& score) {
    for (std::size_t i = 0; i < 3; ++i) attributes[i].push_back(static_cast<double>(score.right[i]) / 2);
    all.push_back(static_cast<double>(score.attributes()) / 6);
    relations.push_back(score.relation ? 1 : 0);
    exact.push_back(score.exact ? 1 : 0);
  }
};

Scores scores_of(const ImageSet& images, const std::vector<std::string>& captions) {
  const Index size = images.height * images.width * images.channels;
  Scores scores;
  for (Index i = 0; i < images.count; ++i) {
    scores.add(
        score(scene_of(captions[static_cast<std::size_t>(i)]),
              std::span(images.images).subspan(static_cast<std::size_t>(i * size), static_cast<std::size_t>(size))));
  }
  return scores;
}

void print_row(const char* name, const Scores& scores) {
  const auto cell = [](const std::vector<double>& values) {
    const Estimate e = bootstrap_mean(values, 1000, 0);
    std::printf(" %.3f (%.3f to %.3f) |", e.value, e.interval.low, e.interval.high);
  };
  std::printf("| %s |", name);
  for (const auto& attribute : scores.attributes) cell(attribute);
  cell(scores.all);
  cell(scores.relations);
  cell(scores.exact);
  double product = mean_of(scores.relations);
  for (const auto& attribute : scores.attributes) product *= mean_of(attribute) * mean_of(attribute);
  std::printf(" %.3f |\n", product);
  std::fflush(stdout);
}

void table(const std::string& path, Index count, double guidance) {
  const Checkpoint checkpoint = read_checkpoint(path);
  const DiffusionModel model = model_of(checkpoint, checkpoint.config.train.ema_rates.empty() ? "raw" : "ema", path);
  std::printf("%s, step %d, %d prompts of each kind, guidance %g:\n\n", path.c_str(),
              static_cast<int>(checkpoint.state.step), static_cast<int>(count), guidance);
  std::printf("| pictures | size | colour | shape | attributes | relation | all right | product |\n");
  std::printf("|---|---|---|---|---|---|---|---|\n");
  const ImageSet drawn = scene_set(SceneKind::all, count, 1);
  print_row("drawn, not sampled", scores_of(drawn, drawn.captions));
  for (const auto& [name, kind] : {std::pair{"seen combinations", SceneKind::seen}, {"unseen", SceneKind::unseen}}) {
    SampleRequest request = default_request(checkpoint.config);
    request.count = count;
    request.guidance = guidance;
    request.captions = scene_set(kind, count, 2).captions;
    print_row(name, scores_of(ImageSet::from(generate(model, request).x), request.captions));
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Index count = argc > 2 ? std::atoll(argv[2]) : 256;
    const double guidance = argc > 3 ? std::atof(argv[3]) : 2;
    if (argc < 2 || argc > 4 || count < 2) {
      throw UsageError("scenes CHECKPOINT [COUNT] [GUIDANCE]: expects a checkpoint, a number from 2 and a scale");
    }
    table(argv[1], count, guidance);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return dynamic_cast<const UsageError*>(&error) != nullptr ? 2 : 1;
  }
}
