#pragma once
#include <vector>

#include "diffusion/process/process.h"

namespace reverie::inline REVERIE_PRECISION {

/// A network that is also given the labels of each of the N samples: a class or the tokens of a caption. The label
/// after the last one means "none".
using ConditionalNetwork = std::function<Var(const Var& x_t, std::span<const double> t, std::span<const Index> labels)>;

/// g = uncond + scale (cond - uncond). scale = 1 is no guidance, 0 ignores the class, above 1 exaggerates it, which
/// also raises the contrast. `rescale` in [0, 1] counteracts that: it moves each sample's standard deviation towards
/// that of cond.
/// [Ho22] eq. 6, [Lin23] eqs. 15, 16
Var classifier_free_guidance(const Var& cond, const Var& uncond, double scale, double rescale = 0);

/// Binds the samples' labels (as many for each row of x_t) to a conditional network and guides it away from other
/// labels: one evaluation on 2N samples gives both outputs. Only the prediction is guided; a learned variance is the
/// conditional one. `away`: as many labels, of "none" for classifier-free guidance, or of a negative prompt.
NetworkFunction with_guidance(ConditionalNetwork network, std::vector<Index> labels, const std::vector<Index>& away,
                              double scale, VarianceType variance_type, double rescale = 0);

/// Clamps each sample to [-s, s] and divides by s, the larger of 1 and the `share` quantile of |x_0|. Brings values
/// that strong guidance pushes out of the data's range back without saturating them. share in (0, 1].
/// [Saharia22] sec. 2.3
Tensor dynamic_threshold(const Tensor& x0, double share);

/// The gradient of log p(y | x_t, t) with respect to x_t, in the chain's form, at the samples' original time steps
/// (real numbers); y is bound. It comes from a classifier trained on noisy data, see classifier.h. The ancestral
/// sampler evaluates it at the predicted mean ([Dhariwal21] Alg. 1), all others at x_t (Alg. 2).
using ClassifierGradient = std::function<Var(const Var& x_t, std::span<const double> t)>;

}  // namespace reverie::inline REVERIE_PRECISION
