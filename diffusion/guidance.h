#pragma once
#include <vector>

#include "diffusion/process.h"

namespace reverie::inline REVERIE_PRECISION {

/// A network that is also told a class for each of the N samples; the number of classes itself says "none".
using ConditionalModel =
    std::function<Tensor(const Tensor& x_t, std::span<const double> t, std::span<const Index> labels)>;

/// uncond + scale (cond - uncond). scale = 1 is no guidance, 0 forgets the class, more than 1 exaggerates.
/// [Ho22] eq. 6
Var classifier_free_guidance(const Var& cond, const Var& uncond, double scale);

/// The class-conditional network as a model of the samples' labels (one for each row that it will be asked about),
/// guided: both answers come from one evaluation of 2N. Only the prediction is guided; a learned variance is the
/// conditional one. `null_label`: the label that was trained as "none".
Model with_guidance(ConditionalModel network, std::vector<Index> labels, Index null_label, double scale,
                    VarianceType variance_type);

}  // namespace reverie::inline REVERIE_PRECISION
