#pragma once
#include "diffusion/formulations/formulation.h"
#include "diffusion/formulations/loss_weights.h"

namespace reverie::inline REVERIE_PRECISION {

/// ln(SNR), the log signal-to-noise ratio, falls linearly from `max` at time u = 0 to `min` at u = 1.
/// [Kingma21] sec. 3.2
struct LogSnrLine {
  double max = 13.3, min = -10;

  /// alpha_bar = SNR / (1 + SNR)
  double alpha_bar(double u) const;
  double sigma(double u) const;
  /// The time of a sigma, clamped to [0, 1] because the network is trained on no others.
  double time(double sigma) const;
};

struct ContinuousOptions {
  LogSnrLine log_snr = {};
  MeanType mean_type = MeanType::eps;   ///< what the network predicts
  LossWeightFunction weight = nullptr;  ///< from `loss_weight_function`; null for 1
  double huber = 0;                     ///< see `prediction_error`
};

/// Trains the network at continuous times u in (0, 1). With eps and no weight the loss is, up to a constant factor, the
/// variational bound in continuous time.
/// [Kingma21] eqs. 17, 18
class ContinuousFormulation : public Formulation {
 public:
  /// Throws UsageError for a process that expects a learned variance, and unless log_snr.max > log_snr.min.
  explicit ContinuousFormulation(Process process, ContinuousOptions options = {});

  Var losses(const NetworkFunction& network, const Var& x0, const Var& noise, std::span<const double> u) const override;
  Var denoise(const NetworkFunction& network, const Var& x, double sigma) const override;
  SigmaRange sigma_range() const override { return {options_.log_snr.sigma(0), options_.log_snr.sigma(1)}; }

 private:
  ContinuousOptions options_;
};

}  // namespace reverie::inline REVERIE_PRECISION
