// What a text-to-image model makes of (concept, style) pairs that it never saw: prints the table of
// docs/text-to-image.md, and draws the pairs. Each held-out pair has a true picture; a sample of its prompt is compared
// with it by the Euclidean distance of their pixels, beside copies of training pictures.
//   build/benchmarks/uses/emoji CHECKPOINT --data TRAIN --held-out SET [--count N] [--guidance S] [--picture X.png]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "benchmarks/uses/command_line.h"
#include "data/grid.h"
#include "data/image_set.h"
#include "data/subset.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/metrics/distances.h"
#include "diffusion/model/checkpoint.h"

using namespace reverie;

namespace {

// "goat, flat style"
struct Pair {
  std::string concept_name, style;

  explicit Pair(const std::string& caption) {
    const auto comma = caption.rfind(", ");
    if (comma == std::string::npos || !caption.ends_with(" style")) {
      throw Error("emoji: caption \"", caption, "\"; expects \"goat, flat style\"");
    }
    concept_name = caption.substr(0, comma);
    style = caption.substr(comma + 2, caption.size() - comma - 2 - std::string(" style").size());
  }
};

// All pictures, those of training first.
struct Pictures {
  Tensor x;
  std::vector<Pair> pairs;
  Index in_training;
  std::map<std::string, std::map<std::string, Index>> of_style;  // number of the picture, by style and concept

  Pictures(const ImageSet& train, const ImageSet& held_out) : in_training(train.count) {
    if (train.captions.empty() || held_out.captions.empty()) throw Error("emoji: a set has no captions");
    if (train.sample_shape() != held_out.sample_shape()) throw Error("emoji: the sets have pictures of other sizes");
    const Index all = train.count + held_out.count;
    x = Tensor::uninitialized({all, train.height, train.width, train.channels});
    x.rows(0, train.count).copy_from(samples_of(train));
    x.rows(train.count, all).copy_from(samples_of(held_out));
    for (const ImageSet* set : {&train, &held_out}) {
      for (const std::string& caption : set->captions) {
        pairs.emplace_back(caption);
        of_style[pairs.back().style][pairs.back().concept_name] = std::ssize(pairs) - 1;
      }
    }
  }
  Index find(const std::string& style, const std::string& concept_name) const {
    const auto& pictures = of_style.at(style);
    const auto found = pictures.find(concept_name);
    return found == pictures.end() ? -1 : found->second;
  }
};

struct Scores {
  std::vector<double> distance;  // root mean square over the pixels, of 2 for black against white
  std::vector<double> ranks;     // of the true concept among all pictures of the style; 1 is best
  std::vector<double> first, among_ten,
      style;  // 1 or 0: rank 1; rank 1 to 10; the style is nearest among the concept's

  // `drawn` [n,H,W,C] stands for the pictures `held_out`.
  Scores(const Pictures& pictures, const std::vector<Index>& held_out, const Tensor& drawn) {
    const std::vector<double> distances = squared_distances(drawn, pictures.x);
    const Index all = pictures.x.extent(0);
    for (std::size_t i = 0; i < held_out.size(); ++i) {
      const auto to = [&](Index picture) { return distances[i * static_cast<std::size_t>(all) + picture]; };
      const Index truth = held_out[i];
      const Pair& pair = pictures.pairs[truth];
      distance.push_back(std::sqrt(to(truth) / static_cast<double>(pictures.x.size() / all)));
      Index rank = 1;
      for (const auto& [name, picture] : pictures.of_style.at(pair.style)) rank += to(picture) < to(truth);
      ranks.push_back(static_cast<double>(rank));
      first.push_back(rank == 1);
      among_ten.push_back(rank <= 10);
      bool nearest = true;
      for (const auto& [name, of_style] : pictures.of_style) {
        const Index other = pictures.find(name, pair.concept_name);
        nearest = nearest && (other < 0 || other == truth || to(truth) < to(other));
      }
      style.push_back(nearest);
    }
  }
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void print_row(const char* name, const Scores& scores) {
  const auto cell = [](const std::vector<double>& values) {
    const Estimate e = bootstrap_mean(values, 1000, 0);
    std::printf(" %.3f (%.3f to %.3f) |", e.value, e.interval.low, e.interval.high);
  };
  std::printf("| %s | %.0f |", name, median(scores.ranks));
  for (const auto* values : {&scores.first, &scores.among_ten, &scores.style, &scores.distance}) cell(*values);
  std::printf("\n");
  std::fflush(stdout);
}

Tensor taken(const Tensor& x, const std::vector<Index>& rows) {
  Tensor some = Tensor::uninitialized(x.shape().with(0, std::ssize(rows)));
  for (Index i = 0; i < std::ssize(rows); ++i) some.rows(i, i + 1).copy_from(x.rows(rows[i], rows[i] + 1));
  return some;
}

// The same concept, in the other style whose training pictures are nearest to those of the pair's style on average.
std::vector<Index> same_concept(const Pictures& pictures, const std::vector<Index>& held_out) {
  std::map<std::pair<std::string, std::string>, double> between;  // mean squared distance of two styles
  for (const auto& [a, pictures_a] : pictures.of_style) {
    for (const auto& [b, pictures_b] : pictures.of_style) {
      std::vector<double> distances;
      for (const auto& [name, picture] : pictures_a) {
        const Index other = pictures.find(b, name);
        if (other < 0 || other >= pictures.in_training || picture >= pictures.in_training) continue;
        distances.push_back(
            squared_distances(pictures.x.rows(picture, picture + 1), pictures.x.rows(other, other + 1))[0]);
      }
      if (a != b && !distances.empty()) between[{a, b}] = mean_of(distances);
    }
  }
  std::vector<Index> copies;
  for (const Index truth : held_out) {
    const Pair& pair = pictures.pairs[truth];
    Index best = -1;
    double least = INFINITY;
    for (const auto& [styles, distance] : between) {
      const Index other = pictures.find(styles.second, pair.concept_name);
      if (styles.first != pair.style || other < 0 || other >= pictures.in_training || distance >= least) continue;
      best = other, least = distance;
    }
    if (best < 0) throw Error("emoji: training has no picture of \"", pair.concept_name, "\" in another style");
    copies.push_back(best);
  }
  return copies;
}

// Some training picture of the pair's style.
std::vector<Index> same_style(const Pictures& pictures, const std::vector<Index>& held_out) {
  std::vector<Index> copies;
  for (const Index truth : held_out) {
    std::vector<Index> of_training;
    for (const auto& [name, picture] : pictures.of_style.at(pictures.pairs[truth].style)) {
      if (picture < pictures.in_training) of_training.push_back(picture);
    }
    const RandomKey key = RandomKey{.seed = 0, .stream = Stream::probe}.with_sample(truth);
    copies.push_back(of_training.at(uniform_index(key, std::ssize(of_training))));
  }
  return copies;
}

// Rows of true pictures, samples and copies.
Picture picture_of(const Tensor& truth, const Tensor& drawn, const Tensor& copies, Index columns) {
  columns = std::min(columns, truth.extent(0));
  const Shape& all = truth.shape();
  Tensor rows = Tensor::uninitialized(all.with(0, 3 * columns));
  Index row = 0;
  for (const Tensor* x : {&truth, &drawn, &copies}) {
    rows.rows(row, row + columns).copy_from(x->rows(0, columns));
    row += columns;
  }
  return grid(rows, columns, 2);
}

struct Options {
  std::string checkpoint, train, held_out, picture;
  Index count = all_samples;
  double guidance = 2;
};

void run(const Options& options) {
  const ImageSet held_out = ImageSet::load(options.held_out);
  const Pictures pictures(ImageSet::load(options.train), held_out);
  const Checkpoint checkpoint = read_checkpoint(options.checkpoint);
  const DiffusionModel model =
      model_of(checkpoint, checkpoint.config.train.ema_rates.empty() ? "raw" : "ema", options.checkpoint);
  const Subset some(held_out, options.count);
  std::vector<Index> rows;
  for (const Index row : some.rows()) rows.push_back(pictures.in_training + row);

  SampleRequest request = default_request(checkpoint.config);
  request.count = some.size();
  request.guidance = options.guidance;
  request.captions = some.captions;
  const Tensor drawn = generate(model, request).x;
  const Tensor copies = taken(pictures.x, same_concept(pictures, rows));
  std::printf("%s, step %d, %d held-out pairs, guidance %g:\n\n", options.checkpoint.c_str(),
              static_cast<int>(checkpoint.state.step), static_cast<int>(some.size()), options.guidance);
  std::printf(
      "| pictures | median rank of the concept | first | among ten | style | distance |\n|---|---|---|---|---|---|\n");
  print_row("samples of the prompt", Scores(pictures, rows, drawn));
  print_row("copies: same concept, nearest other style", Scores(pictures, rows, copies));
  print_row("copies: same style, any concept", Scores(pictures, rows, taken(pictures.x, same_style(pictures, rows))));
  if (!options.picture.empty()) write_png(options.picture, picture_of(samples_of(some), drawn, copies, 16));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("What a text-to-image model makes of pairs of concept and style that it never saw");
  app.add_option("checkpoint", options.checkpoint, "Checkpoint of a run with configs/emoji.toml")->required();
  app.add_option("--data", options.train, "The pairs of training")->required();
  app.add_option("--held-out", options.held_out, "The other pairs")->required();
  app.add_option("--count", options.count, "Held-out pairs [all]")->check(CLI::Range(Index{2}, all_samples));
  app.add_option("--guidance", options.guidance, "Scale of classifier-free guidance [2]");
  app.add_option("--picture", options.picture, "Draw true pictures, samples and copies, X.png");
  return with_command_line(app, argc, argv, [&] { run(options); });
}
