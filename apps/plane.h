#pragma once
#include <string>

#include "diffusion/model/model.h"

namespace reverie::inline REVERIE_PRECISION {

/// Whether plane_json can evaluate the model: points in the plane, and no class needed.
bool can_show_plane(const DiffusionModel& model);

/// What a model of points in the plane learned, as JSON for the report's page: the density of held-out points and of
/// samples; the score at three noise levels, the learned one and the exact one of training points, at a grid of points
/// and as the root mean square difference at noisy held-out points; paths of samples, [samples * columns, 2].
std::string plane_json(const DiffusionModel& model, const Dataset& training, const Dataset& held_out,
                       const Tensor& samples, Index step, const Tensor& paths, Index columns);

}  // namespace reverie::inline REVERIE_PRECISION
