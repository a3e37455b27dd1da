#pragma once
#include "diffusion/formulations/formulation.h"

namespace reverie::inline REVERIE_PRECISION {

/// The range of noise levels that EDM samples at.
/// [Karras22] table 1
inline constexpr double edm_sigma_min = 0.002, edm_sigma_max = 80;

/// The preconditioning of EDM, "Elucidating Diffusion Models": D(x; sigma) = c_skip x + c_out F(c_in x; c_noise),
/// chosen so that inputs and targets of the raw network F have unit variance at every sigma. `loss_weight` times the
/// squared error of D equals the squared error of F.
/// [Karras22] table 1, app. B.6
struct EdmPreconditioning {
  double c_skip, c_out, c_in, c_noise, loss_weight;
};

/// sigma > 0; sigma_data: the standard deviation of the data.
EdmPreconditioning edm_preconditioning(double sigma, double sigma_data);

/// D(x; sigma) from the raw network. x = x_0 + sigma n, [N,...,C]; one sigma per sample.
Var edm_denoise(const NetworkFunction& network, const Var& x, std::span<const double> sigma, double sigma_data);

struct EdmOptions {
  double p_mean = -1.2, p_std = 1.2;  ///< ln sigma ~ N(p_mean, p_std^2) in training
  double sigma_data = 0.5;            ///< standard deviation of the data
  double huber = 0;                   ///< see `prediction_error`
};

/// A preconditioned denoiser, trained at continuous noise levels sigma.
/// [Karras22]
class EdmFormulation : public Formulation {
 public:
  /// Throws UsageError for a process that expects a learned variance, and unless p_std > 0 and sigma_data > 0.
  explicit EdmFormulation(Process process, const EdmOptions& options = {});

  Var losses(const NetworkFunction& network, const Var& x0, const Var& noise, std::span<const double> u) const override;
  Var denoise(const NetworkFunction& network, const Var& x, double sigma) const override;
  SigmaRange sigma_range() const override { return {edm_sigma_min, edm_sigma_max}; }

 private:
  EdmOptions options_;
};

}  // namespace reverie::inline REVERIE_PRECISION
