#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/stored_set.h"
#include "diffusion/model/model.h"
#include "diffusion/samplers/inpaint.h"
#include "diffusion/samplers/sampler.h"

namespace reverie::inline REVERIE_PRECISION {

/// How to sample, as in `[sample]` of a configuration.
struct SampleOptions {
  std::string sampler = "ddpm";
  Index steps = 0;  ///< sampling steps; 0: those of the whole chain
  OptionValues sampler_parameters;
  std::string solver_type;
  std::string sigmas;
  OptionValues sigma_parameters;
  double guidance = 1, guidance_rescale = 0, dynamic_threshold = 0;
  bool clip = true;
};

/// The name of the grid of sigmas that the sampler follows; empty for samplers of the chain.
std::string grid_name(const Sampler& sampler, const SampleOptions& options);
/// Changes the sampler; the options of the previous one are dropped, the grid of sigmas only if the new one has none.
void choose_sampler(SampleOptions& options, const std::string& name);
/// Returns the options without the grid, and the grid's parameters, that the sampler doesn't use: configurations of
/// older versions may hold some.
SampleOptions without_unused(SampleOptions options);
/// Throws UsageError for an option that the sampler or its grid of sigmas lacks, naming those it has, and for values
/// out of range.
void check_options(const Sampler& sampler, const SampleOptions& options);

/// Classifier guidance: pulls samples towards their labels.
struct LabelGuidance {
  /// Like ClassifierGradient, of log p(labels | x_t, t); empty for no guidance.
  std::function<Var(const Var& x_t, std::span<const double> t, std::span<const Index> labels)> gradient;
  std::vector<std::string> class_names = {};  ///< the classifier's; a model without classes then samples all in turn
  double scale = 1;
};

/// A sampling request: how to sample, and what.
struct SampleRequest : SampleOptions {
  Index count = 64;
  Index at_once = 0;  ///< the most samples drawn at a time, to save memory; 0: no limit. See samples_within
  std::uint64_t seed = 0;
  Index first = 0;                 ///< sample i has the noise of number `first` + i, so that others can follow it
  Index label = -1;                ///< class of all samples; -1: all classes in turn (none if there are no classes)
  std::vector<Index> labels = {};  ///< if not empty, the class of each sample instead; null_class() for none
  std::vector<std::string> captions = {};  ///< of each sample, for a model with captions
  std::string negative_caption = {};       ///< guidance leads away from it; empty for "no caption"
  Tensor small = {};  ///< the pictures to enlarge, [count,H/factor,W/factor,C], see DiffusionModel::low_resolution
  Tensor start = {};  ///< if defined, x_T of each sample, [count, sample_shape], instead of random noise
  /// Below 1: `start` is x_0 instead, which is noised to this share of the chain; sampling goes on from there.
  double strength = 1;
  Tensor start_noise = {};  ///< the noise put into x_0, [count, sample_shape]; drawn by the seed if undefined
  Inpainting inpaint = {};  ///< if `inpaint.known` is defined, draws only what its mask says
  LabelGuidance classifier = {};
  /// If set, called after each sampling step, perhaps from several threads, with the number of the first of some
  /// samples, the number of the sampling step, and their x_t (in the chain's form) and predicted x_0. Inpainting by
  /// repaint performs a sampling step several times. Before the first one it is called with the number -1 and x_T.
  std::function<void(Index first_sample, Index step, const Tensor& x_t, const Tensor& pred_x0)> observe = nullptr;
};

/// The number of time steps, of T, up to a share of the chain; at least one.
Index steps_within(double share, Index T);

/// The classes of a request's samples: the model's, else those of the guiding classifier, else none.
const std::vector<std::string>& sample_classes(const DiffusionModel& model, const SampleRequest& request);
/// The number of sampling steps from x_T to x_0.
Index sampling_steps(const DiffusionModel& model, const Sampler& sampler, const SampleRequest& request);
inline Index sampling_steps(const DiffusionModel& model, const SampleRequest& request) {
  return sampling_steps(model, find_sampler(request.sampler), request);
}
/// A noise level on the way from x_T to x_0: x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) eps.
struct NoiseLevel {
  double t;  ///< the time step of the chain that the network was trained on, perhaps between two; -1 for x_0
  double alpha_bar;
};
/// The noise levels of x_T and of x_t after each sampling step.
std::vector<NoiseLevel> noise_levels(const DiffusionModel& model, const Sampler& sampler, const SampleRequest& request);

/// Throws UsageError for a request with a class, an option, a number of sampling steps or a strength that the model or
/// the sampler doesn't support.
void check_request(const DiffusionModel& model, const Sampler& sampler, const SampleRequest& request);
inline void check_request(const DiffusionModel& model, const SampleRequest& request) {
  check_request(model, find_sampler(request.sampler), request);
}

/// Gives each sample the caption of a sample of this set, or its picture in a low resolution, as the model needs; taken
/// in the set's fixed random order (see Subset), again and again if it has fewer. Throws UsageError for a set without
/// captions, if they are needed.
void borrow_conditions(SampleRequest& request, const DiffusionModel& model, const Dataset& set);

struct Samples {
  Tensor x;                              ///< [count, sample_shape]
  std::vector<Index> labels;             ///< empty if there are no classes
  std::vector<std::string> class_names;  ///< likewise
  std::vector<std::string> captions;     ///< likewise
  Index evaluations = 0;                 ///< function evaluations (NFE) per sample; a guided one counts twice

  /// Converts to an image set (rounded to 8 bits) or a point set.
  std::unique_ptr<StoredSet> as_dataset() const;
};

/// Draws samples, in parallel shards. Sample i is a function of (weights, seed, first + i), independent of the count,
/// up to rounding that depends on its shard's size. `sampler` may be your own; `request.sampler` is then ignored.
/// `progress` is called with the fraction done, one call at a time, perhaps from several threads; if it returns false,
/// sampling stops with an Error. Throws as check_request, and Error that names the sampling step and the sample if a
/// value is NaN or infinite.
Samples generate(const DiffusionModel& model, const Sampler& sampler, const SampleRequest& request,
                 const std::function<bool(double)>& progress = nullptr);
/// The same with the sampler that the request names.
inline Samples generate(const DiffusionModel& model, const SampleRequest& request,
                        const std::function<bool(double)>& progress = nullptr) {
  return generate(model, find_sampler(request.sampler), request, progress);
}

/// The number of samples that can be drawn at a time (SampleRequest::at_once) within `bytes` of memory: divides
/// what the model and all samples leave of them by the measured peak for one sample. Samples don't depend on it, but
/// for rounding if it is smaller than a shard (16 images, or fewer large ones). Throws UsageError if one doesn't fit.
Index samples_within(const DiffusionModel& model, const Sampler& sampler, const SampleRequest& request, double bytes);
inline Index samples_within(const DiffusionModel& model, const SampleRequest& request, double bytes) {
  return samples_within(model, find_sampler(request.sampler), request, bytes);
}

/// Encodes the samples x_0 [N, sample_shape]: returns the x_T that DDIM with eta = 0 maps to them, unguided, with the
/// request's sampling steps, clamping and labels. More sampling steps are more accurate. To decode, pass the result to
/// `generate` as the request's start. `progress` as for `generate`.
/// [Song21] sec. 4.3
Tensor encode(const DiffusionModel& model, const Tensor& x0, const SampleRequest& request,
              const std::function<bool(double)>& progress = nullptr);

}  // namespace reverie::inline REVERIE_PRECISION
