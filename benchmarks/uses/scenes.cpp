// How often a text-to-image model draws what the caption says: prints the table of docs/text-to-image.md. Prompts are
// drawn from the grammar of data/scenes.h, from combinations that training has seen and from those that it has not; a
// detector reads the samples. With several checkpoints of a run (train.keep_every), prints the curves over training.
//   build/benchmarks/uses/scenes CHECKPOINT... [--count N] [--guidance S] [--plot X.svg]
#include <array>
#include <cstdio>

#include "benchmarks/uses/command_line.h"
#include "data/plot.h"
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

// What a model would get that learned each attribute and the relation by itself [Okawa23].
double product(const Scores& scores) {
  double product = mean_of(scores.relations);
  for (const auto& attribute : scores.attributes) product *= mean_of(attribute) * mean_of(attribute);
  return product;
}

void print_row(const std::string& name, const Scores& scores) {
  std::printf("| %s |", name.c_str());
  const auto cell = [](const std::vector<double>& values) {
    const Estimate e = bootstrap_mean(values, 1000, 0);
    std::printf(" %.3f (%.3f to %.3f) |", e.value, e.interval.low, e.interval.high);
  };
  for (const auto& attribute : scores.attributes) cell(attribute);
  for (const auto* values : {&scores.all, &scores.relations, &scores.exact}) cell(*values);
  std::printf(" %.3f |\n", product(scores));
  std::fflush(stdout);
}

struct Options {
  std::vector<std::string> checkpoints;
  Index count = 256;
  double guidance = 2;
  std::string plot;
};

Scores sampled(const Checkpoint& checkpoint, const std::string& path, SceneKind kind, const Options& options) {
  const DiffusionModel model = model_of(checkpoint, checkpoint.config.train.ema_rates.empty() ? "raw" : "ema", path);
  SampleRequest request = default_request(checkpoint.config);
  request.count = options.count;
  request.guidance = options.guidance;
  request.captions = scene_set(kind, options.count, 2).captions;
  return scores_of(ImageSet::from(generate(model, request).x), request.captions);
}

void run(const Options& options) {
  std::vector<Checkpoint> checkpoints;  // all are read before anything is printed
  for (const std::string& path : options.checkpoints) checkpoints.push_back(read_checkpoint(path));
  std::printf("%d prompts of each kind, guidance %g:\n\n", static_cast<int>(options.count), options.guidance);
  std::printf("| pictures | size | colour | shape | attributes | relation | all right | product |\n");
  std::printf("|---|---|---|---|---|---|---|---|\n");
  const ImageSet drawn = scene_set(SceneKind::all, options.count, 1);
  print_row("drawn, not sampled", scores_of(drawn, drawn.captions));
  Plot plot{.title = "Scenes that are right in all", .x_label = "training step", .y_label = "share", .series = {}};
  for (const char* kind : {"seen", "unseen"}) {
    for (const char* what : {"all right", "product"}) plot.series.push_back({concat(kind, ", ", what), {}, {}});
  }
  for (std::size_t i = 0; i < checkpoints.size(); ++i) {
    const Checkpoint& checkpoint = checkpoints[i];
    auto series = plot.series.begin();
    for (const auto& [name, kind] : {std::pair{"seen", SceneKind::seen}, {"unseen", SceneKind::unseen}}) {
      const Scores scores = sampled(checkpoint, options.checkpoints[i], kind, options);
      print_row(concat(name, " combinations, step ", checkpoint.state.step), scores);
      for (const double value : {mean_of(scores.exact), product(scores)}) {
        series->x.push_back(static_cast<double>(checkpoint.state.step));
        series->y.push_back(value);
        ++series;
      }
    }
  }
  if (!options.plot.empty()) write_svg(options.plot, plot);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("How often a text-to-image model draws what the caption says");
  app.add_option("checkpoints", options.checkpoints, "Checkpoints of a run with configs/scenes.toml")->required();
  app.add_option("--count", options.count, "Prompts of each kind [256]")->check(CLI::Range(2, 100'000));
  app.add_option("--guidance", options.guidance, "Scale of classifier-free guidance [2]");
  app.add_option("--plot", options.plot, "Draw the curves over training, X.svg");
  return with_command_line(app, argc, argv, [&] { run(options); });
}
