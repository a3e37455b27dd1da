#include "diffusion/evaluation/comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "diffusion/metrics/frechet.h"
#include "diffusion/metrics/kernel_distance.h"
#include "diffusion/metrics/prdc.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

Tensor first_samples(const Dataset& set, Index count) {
  std::vector<Index> indices(static_cast<std::size_t>(std::min(count, set.size())));
  std::iota(indices.begin(), indices.end(), Index{0});
  return set.batch(indices);
}

// Clamps an interval to the possible values: the bias correction may have shifted it beyond them.
Interval within(const Interval& interval, double least, double most) {
  return {std::clamp(interval.low, least, most), std::clamp(interval.high, least, most)};
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
        concat("of ", count));
    if (set_.x.rank() == 4) return;
    std::vector<double> in_modes;
    for (const Index mode : set_.classes) in_modes.push_back(mode >= 0 ? 1 : 0);
    mean("share in modes", in_modes, 1, "the rest is between");
  }

  const FeatureSet &set_, &data_;
  const ComparisonOptions& options_;
};

}  // namespace

Judge::Judge(const Dataset& data, const Classifier* classifier)
    : classifier_(classifier), sample_shape_(data.sample_shape()) {
  if (sample_shape_.rank() == 3) {
    if (classifier == nullptr) {
      throw UsageError(
          "images are compared by a classifier's features, and there is none; `reverie classifier` trains one");
    }
    if (classifier->data.sample_shape != sample_shape_) {
      throw UsageError("the classifier learned images of shape ", classifier->data.sample_shape, ", the data has ",
                       sample_shape_);
    }
    class_names_ = classifier->data.class_names;
  } else if (!data.labels.empty()) {
    class_names_ = data.class_names;
    clusters_ = clusters(first_samples(data, all_samples), data.labels, std::ssize(class_names_));
  }
}

void Judge::require_comparable(const Dataset& set, const std::string& name) const {
  if (set.sample_shape() != sample_shape_) {
    throw UsageError(name, ": has samples of shape ", set.sample_shape(),
                     ", which can't be compared with data of shape ", sample_shape_);
  }
  const Index fewest = ComparisonOptions{}.neighbours + 1;  // each needs that many others
  if (set.size() < fewest) {
    throw UsageError(name, ": has ", set.size(), " samples; comparing sets requires at least ", fewest);
  }
}

FeatureSet Judge::look_at(const Dataset& set, Index count) const {
  if (set.sample_shape() != sample_shape_) {
    throw UsageError("samples of shape ", set.sample_shape(), " can't be compared with data of shape ", sample_shape_);
  }
  const Index N = std::min(count, set.size());
  FeatureSet result{.x = first_samples(set, N), .features = {}, .classes = {}, .labels = {}};
  if (classifier_ != nullptr && sample_shape_.rank() == 3) {
    Recognition seen = recognise(*classifier_, set, N);
    result.features = seen.features;
    result.classes = std::move(seen.classes);
  } else {
    result.features = result.x;
    if (clusters_) result.classes = nearest_modes(result.x, *clusters_);
  }
  if (!set.labels.empty() && set.class_names == class_names_)
    result.labels.assign(set.labels.begin(), set.labels.begin() + N);
  return result;
}

Comparison compare(const Judge& judge, const FeatureSet& samples, const FeatureSet& data, const Dataset* training,
                   const ComparisonOptions& options) {
  Comparison result;
  result.measures = Measuring(judge, samples, data, options).measures;
  if (!samples.classes.empty()) {
    result.in_classes = count_modes(samples.classes, std::ssize(judge.class_names())).samples;
  }
  if (training == nullptr) return result;
  const FeatureSet in_their_place = judge.look_at(*training, samples.x.extent(0));
  ComparisonOptions once = options;
  once.replicates = 0;
  for (const Measure& of_training : Measuring(judge, in_their_place, data, once).measures) {
    for (Measure& measure : result.measures) {
      if (measure.name == of_training.name) measure.training = of_training.samples.value;
    }
  }
  result.memorisation = memorisation(samples.x, data.x, first_samples(*training, all_samples));
  if (result.memorisation->held_out_median == 0) return result;  // the data were trained on: no comparison
  const std::vector<double>& below = result.memorisation->below;
  Estimate copied = bootstrap_mean(below, options.replicates, options.seed);
  copied.interval = within(copied.interval, 0, 1);
  result.measures.push_back({.name = "nearly copied", .meaning = "0.01 if nothing is", .samples = copied});
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
