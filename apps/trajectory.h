#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/hdf5_pieces.h"
#include "diffusion/model/sampling.h"

namespace reverie::inline REVERIE_PRECISION {

/// The file of `reverie sample --trajectory`: every x_t and predicted x_0 of N samples on S sampling steps. HDF5 with
///
/// | dataset     | shape, type           | contents                                                                   |
/// |-------------|-----------------------|----------------------------------------------------------------------------|
/// | `x_t`       | S+1,N,sample, float32 | x_T, then x_t after each sampling step, in the chain's form; the last is x_0
/// | | `pred_x0`   | S,N,sample, float32   | x_0 as predicted from `x_t[i]` in sampling step i | | `alpha_bar` | S+1,
/// float64          | of `x_t[i]`: x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) eps             | | `sigma`     |
/// S+1, float64          | the same noise as sigma = sqrt(1 / alpha_bar - 1)                            | | `t` | S+1,
/// float64          | its time step in the chain of training, perhaps between two; -1 for x_0      |
///
/// and the root attributes `format` ("reverie trajectory") and `source`. It is written while samples are drawn, so it
/// takes no memory.
class Trajectory {
 public:
  /// Makes the file, with room for all values. `source` says how the samples are drawn.
  Trajectory(const std::string& path, const std::vector<NoiseLevel>& levels, const Shape& samples,
             const std::string& source);
  /// For SampleRequest::observe. May be called from several threads.
  void observe(Index first_sample, Index step, const Tensor& x_t, const Tensor& pred_x0) const;

 private:
  Index step_size_;  // of all samples
  Hdf5Pieces file_;
};

}  // namespace reverie::inline REVERIE_PRECISION
