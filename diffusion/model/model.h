#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/stored_set.h"
#include "diffusion/formulations/formulation.h"
#include "diffusion/model/config.h"
#include "diffusion/networks/table.h"
#include "diffusion/samplers/guidance.h"

namespace reverie::inline REVERIE_PRECISION {

/// A diffusion model: a network and the process that it serves, built from a configuration for data of some shape.
struct DiffusionModel {
  /// Throws UsageError where the configuration and the data do not go together (an unet for points, classes without
  /// labels, an image size that can't be halved, ...).
  DiffusionModel(const Config& config, const DataFacts& data);

  Config config;
  DataFacts data;
  const Formulation& formulation;
  std::unique_ptr<Network> network;
  Process process;                      ///< the chain that it was trained on, or on which samplers of the chain walk
  kernels::KernelChoice kernel_choice;  ///< from the configuration; in force while the network is evaluated

  bool conditional() const { return config.model.class_conditional; }
  /// The class that stands for "none".
  Index null_class() const { return static_cast<Index>(data.class_names.size()); }
  /// The network outside of training, its answers as they are; `classes` as in `with_guidance`.
  Model unconditional() const;
  ConditionalModel class_conditional() const;
  /// Such a network as the samplers want it: in the sigma form, or as `process` expects it.
  Denoiser denoiser(Model network, bool clip) const;
  Model in_chain(Model network) const;
  /// The network in the sigma form where derivatives of it are wanted, unclipped; `labels` of the samples that it will
  /// be asked about, empty for a model without classes.
  DenoiserFunction differentiable_denoiser(std::vector<Index> labels) const;
  /// The noise levels at which the denoiser is at home.
  SigmaRange sigma_range() const { return formulation.sigma_range(config, process); }
};

/// Classifier guidance: what pulls samples towards their labels.
struct LabelGuidance {
  /// As ClassifierGradient, of log p(labels | x_t, t); empty: no such guidance.
  std::function<Tensor(const Tensor& x_t, std::span<const double> t, std::span<const Index> labels)> gradient;
  std::vector<std::string> class_names = {};  ///< that it knows; a model without classes then makes all in turn
  double scale = 1;
};

/// A wish for samples: how, in the configuration's words, and which.
struct SampleRequest : Config::Sample {
  Index count = 64;
  std::uint64_t seed = 0;
  Index label = -1;  ///< class of all samples; -1: all classes in turn (or none, where nobody knows of classes)
  std::vector<Index> labels = {};  ///< if not empty, the class of each sample instead
  Tensor start = {};               ///< if defined, x_T of each sample, [count, sample_shape], instead of random noise
  LabelGuidance classifier = {};
};
/// The request that previews use, and the program where it isn't told more.
SampleRequest default_request(const Config& config);

/// The classes that a request's samples can be of: the model's, else those of the classifier that guides, else none.
const std::vector<std::string>& sample_classes(const DiffusionModel& model, const SampleRequest& request);
/// Throws UsageError for a request that the model can't meet: a class, a sampler, a number of steps that it hasn't got.
void check_request(const DiffusionModel& model, const SampleRequest& request);

struct Samples {
  Tensor x;                              ///< [count, sample_shape]
  std::vector<Index> labels;             ///< empty where nobody knows of classes
  std::vector<std::string> class_names;  ///< likewise
  Index evaluations = 0;                 ///< of the network for each sample; a guided one counts both its questions

  /// As an image set (rounded to 8 bits) or a point set.
  std::unique_ptr<StoredSet> as_dataset() const;
};
/// The x_T that DDIM with eta = 0 leads back from to the samples x_0 [N, sample_shape]: as the request says in steps,
/// clamping and labels, unguided. The more steps, the nearer. Give it to `generate` as the request's start. Progress as
/// there. [Song21] sec. 4.3
Tensor encode(const DiffusionModel& model, const Tensor& x0, const SampleRequest& request,
              const std::function<bool(double)>& progress = nullptr);

/// How many samples [H,W,C] or [2] are a task: as many as run through a network from cache and still use a weight often
/// enough. At most `images`, and of those larger than 32x32 as many as have that number's pixels; or 16 `images`
/// points.
Index samples_at_once(const Shape& sample, Index images);

/// Draws samples, in shards that run at once. Sample i is a function of (weights, seed, i), whatever the count, but for
/// the rounding of a task of few samples. `progress` is told the share that is done, perhaps from several threads, one
/// at a time; where it returns false the work stops with an Error. Throws as check_request.
Samples generate(const DiffusionModel& model, const SampleRequest& request,
                 const std::function<bool(double)>& progress = nullptr);

}  // namespace reverie::inline REVERIE_PRECISION
