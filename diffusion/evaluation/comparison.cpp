#include "diffusion/evaluation/comparison.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>

#include "data/classes.h"
#include "data/subset.h"
#include "diffusion/metrics/frechet.h"
#include "diffusion/metrics/kernel_distance.h"
#include "diffusion/metrics/prdc.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Clamps an interval to the possible values: the bias correction may have shifted it beyond them.
Interval within(const Interval& interval, double least, double most) {
  return {std::clamp(interval.low, least, most), std::clamp(interval.high, least, most)};
}

// A bootstrap resample of values.
std::vector<double> resampled(const std::vector<double>& values, std::uint64_t seed, Index replicate, Index set) {
  std::vector<double> result;
  for (const Index row : resample(std::ssize(values), seed, replicate, set)) result.push_back(values[row]);
  return result;
}

// Measures one set against the data; without replicates there are no intervals.
class Measuring {
 public:
  Measuring(const Judge& judge, const FeatureSet& set, const FeatureSet& data, const ComparisonOptions& options)
      : set_(set), data_(data), options_(options) {
    distances();
    neighbourhoods();
    classes(std::ssize(judge.class_names()));
    if (set.x.rank() == 4) {
      mean("mean brightness", brightness(set.x), 1, concat("the data: ", rounded(mean_of(brightness(data.x)))));
    }
  }

  std::vector<Measure> measures;

 private:
  static double rounded(double value) { return std::round(1e4 * value) / 1e4; }

  template <class Statistic>
  void add(const char* name, double value, double least, double most, Statistic statistic, const std::string& meaning) {
    Interval interval{value, value};
    if (options_.replicates > 0) interval = bootstrap_interval(value, options_.replicates, statistic);
    measures.push_back({.name = name, .meaning = meaning, .samples = {value, within(interval, least, most)}});
  }

  void mean(const char* name, const std::vector<double>& rows, double most, const std::string& meaning) {
    const auto of_resample = [&](Index replicate) {
      double sum = 0;
      for (const Index row : resample(std::ssize(rows), options_.seed, replicate)) sum += rows[row];
      return sum / static_cast<double>(rows.size());
    };
    add(name, mean_of(rows), 0, most, of_resample, meaning);
  }

  void distances() {
    const Tensor &a = set_.features, &b = data_.features;
    const auto frechet = [&](Index replicate) {
      return frechet_distance(moments(a, resample(a.extent(0), options_.seed, replicate, 0)),
                              moments(b, resample(b.extent(0), options_.seed, replicate, 1)));
    };
    add("Frechet distance", frechet_distance(a, b), 0, infinity, frechet, "0 is best");
    const KernelDistance kernel(a, b);
    const auto resampled = [&](Index replicate) {
      return kernel.estimate(resample_counts(a.extent(0), options_.seed, replicate, 0),
                             resample_counts(b.extent(0), options_.seed, replicate, 1));
    };
    add("kernel distance", kernel.estimate(), -infinity, infinity, resampled, "about 0 is best");
  }

  void neighbourhoods() {
    const Prdc p = prdc(data_.features, set_.features, options_.neighbours);
    mean("precision", p.precision, 1, "samples among data");
    mean("recall", p.recall, 1, "data among samples");
    mean("density", p.density, infinity, "about 1 is best");
    mean("coverage", p.coverage, 1, "data near a sample");
  }

  void classes(Index count) {
    if (set_.classes.empty()) return;
    if (!set_.labels.empty()) mean("class accuracy", hits(set_.classes, set_.labels), 1, "as the label says");
    const auto found = [&](std::span<const Index> rows) {
      std::vector<Index> drawn;
      for (const Index row : rows) drawn.push_back(set_.classes[row]);
      return static_cast<double>(count_modes(drawn, count).found);
    };
    const auto of_resample = [&](Index replicate) {
      return found(resample(std::ssize(set_.classes), options_.seed, replicate));
    };
    const char* name = set_.x.rank() == 4 ? "classes found" : "modes found";
    add(name, static_cast<double>(count_modes(set_.classes, count).found), 0, static_cast<double>(count), of_resample,
        concat("of ", count, "; data: ", count_modes(data_.classes, count).found));
    if (set_.x.rank() == 4) return;
    std::vector<double> in_modes;
    for (const Index mode : set_.classes) in_modes.push_back(mode >= 0 ? 1 : 0);
    mean("share in modes", in_modes, 1, "the rest is between");
  }

  const FeatureSet &set_, &data_;
  const ComparisonOptions& options_;
};

}  // namespace

Judge::Judge(const Dataset& data, const Classifier* classifier, const std::string& where)
    : classifier_(classifier), sample_shape_(data.sample_shape()) {
  if (sample_shape_.rank() == 3) {
    if (classifier == nullptr) {
      throw UsageError(
          "images are compared by a classifier's features, and there is none; `reverie classifier` trains one");
    }
    if (classifier->data.sample_shape != sample_shape_) {
      throw UsageError("the classifier learned images of shape ", classifier->data.sample_shape, ", ", where, " has ",
                       sample_shape_);
    }
    class_names_ = classifier->data.class_names;
    require_fits(data, where);
  } else if (!data.labels.empty()) {
    class_names_ = data.class_names;
    clusters_ = clusters(samples_of(data), data.labels, std::ssize(class_names_));
  }
}

std::vector<Index> Judge::require_fits(const Dataset& set, const std::string& where) const {
  if (set.sample_shape() != sample_shape_) {
    throw UsageError(where, ": samples of shape ", set.sample_shape(), " can't be compared with data of shape ",
                     sample_shape_);
  }
  const Index fewest = ComparisonOptions{}.neighbours + 1;  // each needs that many others
  if (set.size() < fewest) {
    throw UsageError(where, ": has ", set.size(), " samples; comparing sets requires at least ", fewest);
  }
  if (set.labels.empty() || class_names_.empty()) return {};
  return labels_among(set, where, class_names_, sample_shape_.rank() == 3 ? "the classifier" : "the data");
}

FeatureSet Judge::look_at(const Dataset& set, Index count, const std::string& where) const {
  const Subset subset(set, count);
  FeatureSet result{.rows = subset.rows(),
                    .x = samples_of(subset),
                    .features = {},
                    .classes = {},
                    .labels = require_fits(subset, where)};
  if (classifier_ != nullptr && sample_shape_.rank() == 3) {
    Recognition seen = recognise(*classifier_, subset);
    result.features = seen.features;
    result.classes = std::move(seen.classes);
  } else {
    result.features = result.x;
    if (clusters_) result.classes = nearest_modes(result.x, *clusters_);
  }
  return result;
}

namespace {

// The distance of each query to the nearest training image. The training set may be larger than memory.
std::vector<double> nearest(const Tensor& queries, const Dataset& training) {
  constexpr Index at_once = 4096;
  std::vector<double> distances;
  for (Index first = 0; first < training.size(); first += at_once) {
    const Tensor part = samples_of(training, first, std::min(first + at_once, training.size()));
    const std::vector<double> of_part = nearest_in_training(queries, part);
    if (first == 0) distances = of_part;
    for (std::size_t i = 0; i < distances.size(); ++i) distances[i] = std::min(distances[i], of_part[i]);
  }
  return distances;
}

}  // namespace

Comparison compare(const Judge& judge, const FeatureSet& samples, const FeatureSet& data, const Dataset* training,
                   const ComparisonOptions& options) {
  Comparison result;
  result.measures = Measuring(judge, samples, data, options).measures;
  if (!samples.classes.empty()) {
    result.in_classes = count_modes(samples.classes, std::ssize(judge.class_names())).samples;
  }
  if (training == nullptr) return result;
  const FeatureSet in_their_place = judge.look_at(*training, samples.x.extent(0), "the training set");
  ComparisonOptions once = options;
  once.replicates = 0;
  for (const Measure& of_training : Measuring(judge, in_their_place, data, once).measures) {
    for (Measure& measure : result.measures) {
      if (measure.name == of_training.name) measure.training = of_training.samples.value;
    }
  }
  result.memorisation = memorisation(nearest(samples.x, *training), nearest(data.x, *training));
  Memorisation& m = *result.memorisation;
  m.nearest_sample = samples.rows[m.nearest_sample];
  if (m.held_out.empty()) return result;  // the data were trained on: no comparison
  const auto of_resample = [&](Index replicate) {
    return share_nearly_copied(resampled(m.samples, options.seed, replicate, 0),
                               resampled(m.held_out, options.seed, replicate, 1));
  };
  const Interval interval = bootstrap_interval(m.nearly_copied, options.replicates, of_resample);
  result.measures.push_back({.name = "nearly copied",
                             .meaning = concat(std::setprecision(2), std::showpoint, m.expected, " if nothing is"),
                             .samples = {m.nearly_copied, within(interval, 0, 1)}});
  return result;
}

std::vector<double> brightness(const Tensor& images) {
  std::vector<double> means;
  for (Index n = 0; n < images.extent(0); ++n) {
    double sum = 0;
    const Tensor image = images.rows(n, n + 1);
    for (const real value : image.values()) sum += std::clamp((static_cast<double>(value) + 1) / 2, 0., 1.);
    means.push_back(sum / static_cast<double>(image.size()));
  }
  return means;
}

}  // namespace reverie::inline REVERIE_PRECISION
