#pragma once
#include <vector>

#include "diffusion/process/process.h"

namespace reverie::inline REVERIE_PRECISION {

/// A network that is also told a class for each of the N samples; the number of classes itself says "none".
using ConditionalModel =
    std::function<Tensor(const Tensor& x_t, std::span<const double> t, std::span<const Index> labels)>;

/// g = uncond + scale (cond - uncond). scale = 1 is no guidance, 0 forgets the class, more than 1 exaggerates, and with
/// it the contrast grows: `rescale`, 0 to 1, is the share in which each sample's g gets cond's standard deviation back.
/// [Ho22] eq. 6, [Lin23] eqs. 15, 16
Var classifier_free_guidance(const Var& cond, const Var& uncond, double scale, double rescale = 0);

/// The class-conditional network as a model of the samples' labels (one for each row that it will be asked about),
/// guided: both answers come from one evaluation of 2N. Only the prediction is guided; a learned variance is the
/// conditional one. `null_label`: the label that was trained as "none".
Model with_guidance(ConditionalModel network, std::vector<Index> labels, Index null_label, double scale,
                    VarianceType variance_type, double rescale = 0);

/// Clamps each sample to [-s, s] and divides by s, its `share` quantile of |x_0| or 1 if that is more: what strong
/// guidance drives beyond the data's range comes back without saturating. share in (0, 1]. [Saharia22] sec. 2.3
Tensor dynamic_threshold(const Tensor& x0, double share);

/// The gradient of log p(y | x_t, t) with respect to x_t, in the chain's form, at the samples' original steps (real
/// numbers); y is known to the function. A classifier trained on noisy data gives it, see classifier.h. The ancestral
/// sampler asks at the mean that it predicts ([Dhariwal21] Alg. 1), all others at x_t (Alg. 2).
using ClassifierGradient = std::function<Tensor(const Tensor& x_t, std::span<const double> t)>;

}  // namespace reverie::inline REVERIE_PRECISION
