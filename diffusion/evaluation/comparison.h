#pragma once
#include <optional>
#include <string>
#include <vector>

#include "diffusion/evaluation/classifier.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/metrics/memorisation.h"
#include "diffusion/metrics/modes.h"

namespace reverie::inline REVERIE_PRECISION {

/// A set as the measures see it.
struct FeatureSet {
  Tensor x;                            ///< [N, sample shape]
  Tensor features;                     ///< [N,D]
  std::vector<Index> classes, labels;  ///< as recognised (-1: none), and as the set says; empty where not known
};

/// Tells features and classes. Of images a classifier does; points are their own features, and their classes are the
/// clusters that the data's labels name.
class Judge {
 public:
  /// `classifier` may be null for points, and must outlive the judge. Throws UsageError where one is missing, or
  /// learned images of another shape.
  Judge(const Dataset& data, const Classifier* classifier);
  /// Of the first `count` samples of a set of the data's shape (UsageError). Its labels count only if it has the
  /// judge's classes.
  FeatureSet look_at(const Dataset& set, Index count) const;
  /// Empty for points without labels.
  const std::vector<std::string>& class_names() const { return class_names_; }

 private:
  const Classifier* classifier_;
  Shape sample_shape_;
  std::vector<std::string> class_names_;
  std::optional<Clusters> clusters_;
};

/// One number about samples, with its interval, and what training data get in the samples' place: a perfect model's.
struct Measure {
  std::string name, meaning;
  Estimate samples;
  std::optional<double> training = {};
};

struct Comparison {
  std::vector<Measure> measures;
  std::vector<Index> in_classes;             ///< samples in each class; empty where there are none
  std::optional<Memorisation> memorisation;  ///< where the training set is known; no measure if the data are in it
};

struct ComparisonOptions {
  Index neighbours = 5;    ///< of precision, recall, density and coverage [Naeem20] sec. 5
  Index replicates = 200;  ///< of the bootstrap
  std::uint64_t seed = 0;  ///< of the resampling
};

/// Everything that samples are measured by: Frechet and kernel distance of features, precision, recall, density,
/// coverage, class accuracy (of samples with labels), how many classes or modes are found, brightness (of images), and
/// whether samples are copies of training data. Intervals hold 95% of bootstrap resamples of both sets (of the rows,
/// where a measure is a mean over rows). `training` may be null; its first rows, as many as there are samples, stand in
/// the samples' place. Throws UsageError for sets of no more than `neighbours` rows.
Comparison compare(const Judge& judge, const FeatureSet& samples, const FeatureSet& data, const Dataset* training,
                   const ComparisonOptions& options = {});

/// What is shown of each image of [N,H,W,C], on average: 0 is black, 1 white.
std::vector<double> brightness(const Tensor& images);

}  // namespace reverie::inline REVERIE_PRECISION
