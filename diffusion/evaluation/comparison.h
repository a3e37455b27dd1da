#pragma once
#include <optional>
#include <string>
#include <vector>

#include "diffusion/evaluation/classifier.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/metrics/memorisation.h"
#include "diffusion/metrics/modes.h"

namespace reverie::inline REVERIE_PRECISION {

/// A set with its features and classes, as needed by the measures.
struct FeatureSet {
  std::vector<Index> rows;             ///< number of each sample in its set
  Tensor x;                            ///< [N, sample shape]
  Tensor features;                     ///< [N,D]
  std::vector<Index> classes, labels;  ///< as classified (-1: none), and as given by the set; empty if there are none
};

/// Computes features and classes. Images: by a classifier. Points: the features are the coordinates, and the classes
/// are the clusters given by the data's labels.
class Judge {
 public:
  /// `classifier` may be null for points, and must outlive the judge. Throws UsageError, naming the data as `where`, if
  /// images lack a classifier, or if it was trained on another image shape or on other classes.
  Judge(const Dataset& data, const Classifier* classifier, const std::string& where = "the data");
  /// Checks that a set can be measured and returns its labels as the judge's classes, matched by name as in
  /// `match_classes`; empty if either has none. Throws UsageError, naming `where`, for another shape, other classes, or
  /// too few samples to compare.
  std::vector<Index> require_fits(const Dataset& set, const std::string& where) const;
  /// Computes them for `count` samples (a Subset) of a set that fits (UsageError, naming `where`).
  FeatureSet look_at(const Dataset& set, Index count, const std::string& where = "the samples") const;
  /// Empty for points without labels.
  const std::vector<std::string>& class_names() const { return class_names_; }

 private:
  const Classifier* classifier_;
  Shape sample_shape_;
  std::vector<std::string> class_names_;
  std::optional<Clusters> clusters_;
};

/// One measure of the samples with its interval, and its value for training data in place of the samples, which is what
/// a perfect model would get.
struct Measure {
  std::string name, meaning;
  Estimate samples;
  std::optional<double> training = {};
};

struct Comparison {
  std::vector<Measure> measures;
  std::vector<Index> in_classes;             ///< samples per class; empty if there are no classes
  std::optional<Memorisation> memorisation;  ///< if the training set is known; no measure if it contains the data
};

struct ComparisonOptions {
  Index neighbours = 5;    ///< for precision, recall, density and coverage [Naeem20] sec. 5
  Index replicates = 200;  ///< bootstrap replicates
  std::uint64_t seed = 0;  ///< seed of the resampling
};

/// Compares samples with data by all measures: Frechet and kernel distance of features, precision, recall, density,
/// coverage, class accuracy (if the samples have labels), number of classes or modes found, brightness (images), and
/// memorisation of training data. Intervals hold 95% of bootstrap resamples of both sets (of the rows, if a measure is
/// a mean over rows). `training` may be null; otherwise a Subset of it, as large as the samples, is measured in place
/// of the samples. Throws UsageError for sets of at most `neighbours` rows.
Comparison compare(const Judge& judge, const FeatureSet& samples, const FeatureSet& data, const Dataset* training,
                   const ComparisonOptions& options = {});

/// The mean brightness of each image of [N,H,W,C]: 0 is black, 1 white.
std::vector<double> brightness(const Tensor& images);

}  // namespace reverie::inline REVERIE_PRECISION
