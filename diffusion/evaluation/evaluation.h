#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"
#include "diffusion/evaluation/ode_likelihood.h"
#include "diffusion/model/model.h"

namespace reverie::inline REVERIE_PRECISION {

/// A mean over samples and its standard error (0 for a single sample).
struct MeanWithError {
  double value = 0, error = 0;
};

/// A model's variational bound on a set: -log2 p(x_0) <= total = prior + middle + decoder, in bits per dimension, as
/// means over samples.
/// [Ho20] eq. 5
struct BoundEvaluation {
  Index count = 0;
  MeanWithError total, prior, middle, decoder;  ///< prior: L_T; middle: L_1 + ... + L_{T-1}; decoder: L_0
  MeanWithError exact_decoder;                  ///< L_0 with the exact CDF, not the tanh approximation
  std::vector<MeanWithError> vb, mse, x0_mse;   ///< for each time step, as in BoundTerm
};

/// Computes the bound on `count` samples (a Subset), in parallel shards; the noise is a function of (seed, t, sample).
/// `clip` clamps the predicted x_0 to [-1, 1]. `progress` is called with the fraction done, one call at a time, perhaps
/// from several threads; if it returns false, the evaluation stops with an Error. Throws UsageError for a set that
/// doesn't match, and for points, because the decoder term is for 8-bit values.
BoundEvaluation evaluate_bound(const DiffusionModel& model, const Dataset& data, Index count, std::uint64_t seed,
                               bool clip, const std::function<bool(double)>& progress = nullptr);

/// The bound per time step as CSV: t,vb,vb_error,mse,mse_error,x0_mse,x0_mse_error. One line per time step, with L_t in
/// the column vb, and a last line for t = T with the prior term; the column adds up to the total.
std::string step_table(const BoundEvaluation& bound);

/// The bound's terms in a fraction of the time, to watch them during training: means over few samples at few time
/// steps.
struct BoundLedger {
  Index count = 0;           ///< samples
  std::vector<Index> t;      ///< ascending from 0 to T - 1, closer together at its beginning, where L_t changes most
  std::vector<double> bits;  ///< L_t at these time steps
  double prior = 0;          ///< L_T
  double total = 0;          ///< the sum of all, with L_t between these time steps interpolated linearly
};
/// Estimates the terms on `count` samples (a Subset) at about `times` time steps. Other arguments and errors as above.
BoundLedger bound_ledger(const DiffusionModel& model, const Dataset& data, Index count, Index times, bool clip);

/// The likelihood from the probability-flow ODE, as means over samples; unlike the bound it estimates log p itself.
struct LikelihoodEvaluation {
  Index count = 0;
  MeanWithError nats;  ///< ln p(x), the density of a whole sample
  /// -log2 p(x) per dimension. For images, of the 8-bit values: -log2 P(x_0) <= E -log2 p(x_0 + u) - log2(bin), with u
  /// uniform in a value's bin of width 2/255.
  /// [Theis16] sec. 3.1
  MeanWithError bits;
  /// The numerical error of the log density in nats, as OdeLikelihood has it: the mean over samples. The errors above
  /// are statistical.
  double numerical_error = 0;
  double evaluations = 0;  ///< function evaluations per sample, each with a backward pass
  double sigma_min = 0,
         sigma_max = 0;  ///< integration range of the ODE; p is the density at sigma_min
};

/// Evaluates `count` samples (a Subset), in parallel shards. Uses tolerance, probes and seed of the options; the noise
/// levels are those the model was trained on. A sample's log density doesn't depend on the other samples. `progress` as
/// above. Throws UsageError for a set that doesn't match, and Error for a value that no model can have: P(x_0) <= 1, so
/// 8-bit images take at least 0 bits.
LikelihoodEvaluation evaluate_likelihood(const DiffusionModel& model, const Dataset& data, Index count,
                                         OdeOptions options, const std::function<bool(double)>& progress = nullptr);

}  // namespace reverie::inline REVERIE_PRECISION
