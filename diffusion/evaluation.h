#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"
#include "diffusion/model.h"

namespace reverie::inline REVERIE_PRECISION {

/// Throws UsageError, naming `where`, unless the model can be asked about the set's samples: their shape is the
/// model's, and so are the classes if the model knows any.
void require_fits(const DiffusionModel& model, const Dataset& data, const std::string& where);

/// What a model is worth on a set: the variational bound, -log2 p(x_0) <= total = prior + middle + decoder, all in bits
/// per dimension, means over the samples. [Ho20] eq. 5
struct Evaluation {
  Index count = 0;
  double total = 0, standard_error = 0;       ///< of the mean over samples
  double prior = 0, middle = 0, decoder = 0;  ///< L_T; L_1 + ... + L_{T-1}; L_0
  std::vector<double> vb, mse, x0_mse;        ///< for each step t of the chain, as in BoundTerm
};

/// The bound on the first `count` samples, in shards that run at once; the noise is a function of (seed, t, sample).
/// Predicted data is clamped where the configuration's `sample.clip` says so. `progress` is told the share that is
/// done, perhaps from several threads, one at a time; where it returns false the work stops with an Error. Throws
/// UsageError for a set that doesn't fit, and for points: the decoder's term counts 8-bit values.
Evaluation evaluate_bound(const DiffusionModel& model, const Dataset& data, Index count, std::uint64_t seed,
                          const std::function<bool(double)>& progress = nullptr);

/// The table of an evaluation as CSV, a line a step of the chain: t,vb,mse,x0_mse.
std::string step_table(const Evaluation& evaluation);

}  // namespace reverie::inline REVERIE_PRECISION
