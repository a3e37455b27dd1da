#include "diffusion/formulations/chain.h"

#include <algorithm>
#include <cmath>

namespace reverie::inline REVERIE_PRECISION {
namespace {

void require_squared_error(const Loss& loss, bool used, const char* option) {
  if (used && !loss.squared_error) {
    throw UsageError("formulation chain: ", option, " changes a squared error, and the loss ", loss.name, " has none");
  }
}

}  // namespace

ChainFormulation::ChainFormulation(Process process, ChainOptions options)
    : Formulation(std::move(process)), options_(std::move(options)), scale_(this->process().schedule) {
  require_squared_error(options_.loss, !options_.weights.empty(), "diffusion.loss_weight");
  require_squared_error(options_.loss, options_.huber > 0, "diffusion.huber");
}

// [Ho20] Alg. 1
Var ChainFormulation::losses(const NetworkFunction& network, const Var& x0, const Var& noise,
                             std::span<const double> u) const {
  const Index T = process().schedule.steps();
  std::vector<Index> t;
  for (const double share : u) t.push_back(std::min(static_cast<Index>(share * T), T - 1));
  const Var x_t = process().q_sample(x0, t, noise);
  const Var output = network(x_t, process().original_steps(t));
  return options_.loss
      .terms({process(), t, x0, x_t, noise, output},
             {.cdf = options_.cdf, .huber = options_.huber, .weights = options_.weights})
      .loss;
}

Var ChainFormulation::denoise(const NetworkFunction& network, const Var& x, double sigma) const {
  return chain_denoise(process(), scale_, network, x, sigma);
}

SigmaRange ChainFormulation::sigma_range() const {
  const std::vector<double> sigmas = chain_sigmas(process().schedule);
  return {sigmas.front(), sigmas.back()};
}

}  // namespace reverie::inline REVERIE_PRECISION
