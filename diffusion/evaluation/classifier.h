#pragma once
#include <array>
#include <memory>

#include "data/augmentation.h"
#include "data/dataset.h"
#include "diffusion/model/sampling.h"
#include "nn/layers.h"

namespace reverie::inline REVERIE_PRECISION {

/// A small convolutional image classifier: three stages of convolution, norm, silu and pooling, a hidden layer of 64
/// units, and a linear layer to the classes. `reverie evaluate` compares samples with data by the features, the hidden
/// layer's activations. A *noisy* classifier also takes the noise level as an input, because classifier guidance
/// evaluates it at every noise level.
/// [Dhariwal21] sec. 4
class Classifier {
 public:
  static constexpr Index feature_count = 64;

  /// Throws UsageError for data without classes, for points, and for images smaller than 8x8.
  Classifier(const DataFacts& data, bool noisy, std::uint64_t seed);

  /// x_t = (x_0 + sigma n) / sqrt(1 + sigma^2), the chain's form, [N,H,W,C], one sigma per sample; without `noisy`,
  /// clean images and no sigmas. Features [N,64], logits [N,classes].
  Var features(const Var& x_t, std::span<const double> sigmas = {}) const;
  Var logits(const Var& features) const { return output_(features); }

  /// The gradient of log p(label | x_t; sigma) with respect to x_t, per sample.
  /// [Dhariwal21] eq. 10
  Tensor log_probability_gradient(const Tensor& x_t, std::span<const double> sigmas,
                                  std::span<const Index> labels) const;

  DataFacts data;
  bool noisy;
  std::string source;  ///< a description of its training
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
  Index epochs = 8;                ///< passes over the data ...
  Index steps = 0;                 ///< ... or, if positive, training steps, whatever the size of the set
  Augmentation augmentation = {};  ///< random changes of the images
  Index batch_size = 64, shard_size = 16, lanes = 4;
  double learning_rate = 2e-3;
  std::uint64_t seed = 0;
};

/// The noise levels for training a noisy classifier, uniform in ln sigma. Above the larger one nothing can be
/// recognised.
inline constexpr double classifier_sigma_min = 0.01, classifier_sigma_max = 30;

/// Trains on a whole set; the result is a function of the set and the options, independent of threads. `progress` is
/// called with the fraction done; if it returns false, training stops with an Error. Throws UsageError for invalid
/// options or data.
std::unique_ptr<Classifier> train_classifier(const Dataset& data, const ClassifierTraining& options,
                                             const std::function<bool(double)>& progress = nullptr);

/// Features and predicted classes of images.
struct Recognition {
  Tensor features;             ///< [N,64]
  Tensor probabilities;        ///< [N,classes], of each class
  std::vector<Index> classes;  ///< the most likely class of each image
};
/// Classifies the images of a set, with added noise if sigma > 0. Equal images get equal features, to the bit, unless
/// noise is added. Throws UsageError for images of another shape than the classifier's.
Recognition recognise(const Classifier& classifier, const Dataset& data, double sigma = 0);
/// Compares predicted classes with labels, which must be numbers among the classifier's classes (`labels_among`): 1 per
/// image if they agree, else 0. The mean is the accuracy.
std::vector<double> hits(const std::vector<Index>& classes, std::span<const Index> labels);

/// Builds the guidance of a model's samples by a noisy classifier. `scale` multiplies the gradient. Throws UsageError
/// unless the classifier is noisy and was trained on the model's sample shape. The classifier must outlive the result.
LabelGuidance guidance_by(const Classifier& classifier, const DiffusionModel& model, double scale);

/// One HDF5 file: attributes `format` ("reverie classifier"), `version`, `noisy`, `class_names`, `source`, dataset
/// `sample_shape`, group `weights` (a PyTorch state dict). Written atomically.
void write_classifier(const std::string& path, const Classifier& classifier);
/// Throws Error for a file that is missing, truncated, not a classifier, or of another version.
std::unique_ptr<Classifier> read_classifier(const std::string& path);
/// Returns whether an HDF5 file is marked as a classifier.
bool is_classifier(const std::string& path);

}  // namespace reverie::inline REVERIE_PRECISION
