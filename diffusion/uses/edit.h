#pragma once
#include "diffusion/model/sampling.h"

/// Editing with a trained model: parts of the program's `sample` command.
namespace reverie::inline REVERIE_PRECISION {

/// Spherical interpolation between two noises, [2, shape]: `count` of them, [count, shape], from the first to the
/// second. The straight line between two N(0, 1) tensors is too short in its middle (its variance is 1/2 there); the
/// arc keeps it. [Song21] app. D.5, eq. 67
Tensor slerp(const Tensor& ends, Index count);

/// Evenly spaced steps of 0, ..., steps - 1, the last one included: `count` of them, or all if there are fewer.
std::vector<Index> evenly_spaced(Index count, Index steps);

/// The forward process as a film strip: a row for each sample of x0, [rows, shape], with x_0 itself in the first column
/// and x_t at the time steps `t` in the others. Returns [rows * (1 + times), shape], row by row. A sample has the same
/// noise in all its columns, so that only its amount changes.
Tensor forward_film(const Process& process, const Tensor& x0, const Tensor& noise, std::span<const Index> t);

/// Records how samples emerge: x_t or the predicted x_0 of the first samples, after evenly spaced sampling steps.
class Filmstrip {
 public:
  enum class Shows { x_t, pred_x0 };
  /// `rows` samples of this shape, after `columns` of `steps` sampling steps, the last one included; fewer if there are
  /// not so many.
  Filmstrip(const Shape& sample, Index rows, Index columns, Index steps, Shows shows);
  /// For SampleRequest::observe. May be called from several threads.
  void observe(Index first_sample, Index step, const Tensor& x_t, const Tensor& pred_x0);

  Index columns() const { return std::ssize(steps_); }
  const Tensor& frames() const { return frames_; }  ///< [rows * columns, sample], row by row

 private:
  Index rows_;
  std::vector<Index> steps_;  // of each column
  Shows shows_;
  Tensor frames_;
};

}  // namespace reverie::inline REVERIE_PRECISION
