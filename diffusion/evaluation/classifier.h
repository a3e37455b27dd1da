#pragma once
#include <array>
#include <memory>

#include "data/dataset.h"
#include "diffusion/model/sampling.h"
#include "nn/layers.h"

namespace reverie::inline REVERIE_PRECISION {

/// A small convolutional network that tells an image's class: three stages of convolution, norm, silu and pooling, a
/// hidden layer of 64 units, and a linear layer to the classes. The hidden layer's activations are the features in
/// which `reverie evaluate` compares samples with data. A *noisy* classifier is also told how much noise is in the
/// image: classifier guidance asks it all along the way from noise to data. [Dhariwal21] sec. 4
class Classifier {
 public:
  static constexpr Index feature_count = 64;

  /// Throws UsageError for data without classes, points, and images smaller than 8x8.
  Classifier(const DataFacts& data, bool noisy, std::uint64_t seed);

  /// x_t = (x_0 + sigma n) / sqrt(1 + sigma^2), the chain's form, [N,H,W,C], with a sigma a sample; a classifier that
  /// isn't noisy takes clean images and no sigmas. Features [N,64], logits [N,classes].
  Var features(const Var& x_t, std::span<const double> sigmas = {}) const;
  Var logits(const Var& features) const { return output_(features); }

  /// The gradient of log p(label | x_t; sigma) of each sample with respect to x_t. [Dhariwal21] eq. 10
  Tensor log_probability_gradient(const Tensor& x_t, std::span<const double> sigmas,
                                  std::span<const Index> labels) const;

  DataFacts data;
  bool noisy;
  std::string source;  ///< how it was trained, in words
  ParameterStore parameters;

 private:
  struct Stage {
    Conv2d convolution;
    GroupNorm norm;
    std::optional<Linear> noise_level;  // noisy: added to the channels
  };
  std::vector<Stage> stages_;
  Linear hidden_, output_;
};

struct ClassifierTraining {
  bool noisy = false;
  Index epochs = 8, batch_size = 64, shard_size = 16, lanes = 4;
  double learning_rate = 2e-3;
  std::uint64_t seed = 0;
};

/// The noise levels between which a noisy classifier learns, ln sigma uniform: beyond the larger nothing is to be told.
inline constexpr double classifier_sigma_min = 0.01, classifier_sigma_max = 30;

/// Trains on all of a set; a function of the set and the options. `progress` is told the share that is done; where it
/// returns false the work stops with an Error. Throws UsageError for options or data that can't be.
std::unique_ptr<Classifier> train_classifier(const Dataset& data, const ClassifierTraining& options,
                                             const std::function<bool(double)>& progress = nullptr);

/// What a classifier sees in images.
struct Recognition {
  Tensor features;             ///< [N,64]
  std::vector<Index> classes;  ///< the likeliest of each
};
/// Of the first `count` images of a set, as they are or with noise of this sigma. Throws UsageError for images of
/// another shape than the classifier's.
Recognition recognise(const Classifier& classifier, const Dataset& data, Index count = all_samples, double sigma = 0);
/// The share of `recognise`d classes that are the set's labels, as one number an image: 1 where right, else 0.
std::vector<double> hits(const std::vector<Index>& classes, std::span<const Index> labels);

/// Guidance of a model's samples by a noisy classifier. `scale` multiplies the gradient. Throws UsageError unless it is
/// noisy and learned samples of the model's shape. The classifier must outlive what is returned.
LabelGuidance guidance_by(const Classifier& classifier, const DiffusionModel& model, double scale);

/// One HDF5 file: attributes `format` ("reverie classifier"), `version`, `noisy`, `class_names`, `source`, dataset
/// `sample_shape`, group `weights` (a PyTorch state dict). Written atomically.
void write_classifier(const std::string& path, const Classifier& classifier);
/// Throws Error for a file that is missing, truncated, no classifier, or of another version.
std::unique_ptr<Classifier> read_classifier(const std::string& path);
/// Whether an HDF5 file says that it is a classifier.
bool is_classifier(const std::string& path);

}  // namespace reverie::inline REVERIE_PRECISION
