#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"
#include "diffusion/model/model.h"
#include "diffusion/evaluation/ode_likelihood.h"

namespace reverie::inline REVERIE_PRECISION {

/// Throws UsageError, naming `where`, unless the model can be asked about the set's samples: their shape is the
/// model's, and so are the classes if the model knows any.
void require_fits(const DiffusionModel& model, const Dataset& data, const std::string& where);

/// A mean over samples and its standard error (0 for a single sample).
struct MeanWithError {
  double value = 0, error = 0;
};

/// What a model is worth on a set: the variational bound, -log2 p(x_0) <= total = prior + middle + decoder, all in bits
/// per dimension, means over the samples. [Ho20] eq. 5
struct BoundEvaluation {
  Index count = 0;
  MeanWithError total, prior, middle, decoder;  ///< prior: L_T; middle: L_1 + ... + L_{T-1}; decoder: L_0
  MeanWithError exact_decoder;                  ///< L_0 with the exact distribution function, not the tanh form
  std::vector<MeanWithError> vb, mse, x0_mse;   ///< for each step t of the chain, as in BoundTerm
};

/// The bound on the first `count` samples, in shards that run at once; the noise is a function of (seed, t, sample).
/// `clip` clamps the predicted x_0 to [-1, 1]. `progress` is called with the share that is done, one call at a time,
/// perhaps from several threads; if it returns false, the work stops with an Error. Throws UsageError for a set that
/// doesn't fit, and for points: the decoder's term is for 8-bit values.
BoundEvaluation evaluate_bound(const DiffusionModel& model, const Dataset& data, Index count, std::uint64_t seed, bool clip,
                               const std::function<bool(double)>& progress = nullptr);

/// The ledger of the bound as CSV: t,vb,vb_error,mse,mse_error,x0_mse,x0_mse_error. A line a step of the chain, L_t in
/// the column vb, and a last one for t = T with the prior term alone; the column's sum is the total.
std::string step_table(const BoundEvaluation& bound);

/// The likelihood by the probability-flow ODE, means over samples; unlike the bound it is an estimate of log p itself.
struct LikelihoodEvaluation {
  Index count = 0;
  MeanWithError nats;  ///< ln p(x), the density of a whole sample
  /// -log2 p(x) per dimension. Of images: of their 8-bit values, -log2 P(x_0) <= E -log2 p(x_0 + u) - log2(bin), with u
  /// uniform in a value's bin of 2/255. [Theis16] sec. 3.1
  MeanWithError bits;
  double evaluations = 0;  ///< of the network for a sample: each forward and backward
  double sigma_min = 0,
         sigma_max = 0;  ///< noise levels between which the ODE was solved: p is the density at sigma_min
};

/// Of the first `count` samples, in shards that run at once. Takes tolerance, probes and seed of the options; the noise
/// levels are those that the model was trained on. Progress as above. Throws UsageError for a set that doesn't fit.
LikelihoodEvaluation evaluate_likelihood(const DiffusionModel& model, const Dataset& data, Index count,
                                         OdeOptions options, const std::function<bool(double)>& progress = nullptr);

}  // namespace reverie::inline REVERIE_PRECISION
