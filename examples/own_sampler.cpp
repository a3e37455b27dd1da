// A sampler of one's own: Ralston's method, a second-order solver of the probability-flow ODE, beside Heun's. The model
// is exact: the denoiser of N(0, 1) data is a formula, so nothing has to be trained.
#include <cmath>
#include <iostream>

#include "diffusion/formulations/edm.h"
#include "diffusion/model/sampling.h"

using namespace reverie;

namespace {

// A raw network F whose preconditioned output is D(x; sigma) = x / (1 + sigma^2) for sigma_data = 1: F = 0.
struct Zero : Network {
  Zero() : Network(0) {}
  Var operator()(const Var& x, std::span<const double>, std::span<const Index>, const Mode&) const override {
    return 0 * x;
  }
};

Var slope(const Denoiser& denoise, const Var& x, double sigma) { return (x - denoise(x, sigma)) / sigma; }

// dx/dsigma at 2/3 of each step, weighted 3/4, and at its start, weighted 1/4. The step into 0 is Euler's.
Var ralston(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions&, const NoiseSource&,
            const Observer& observe) {
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const double sigma = sigmas[i], h = sigmas[i + 1] - sigma;
    const Var start = slope(denoise, x, sigma);
    if (sigmas[i + 1] > 0) {
      const Var later = slope(denoise, x + 2 * h / 3 * start, sigma + 2 * h / 3);
      x = x + h * (start / 4 + 3 * later / 4);
    } else {
      x = x + h * start;
    }
    if (observe) observe(i, x, denoise(x, sigma));
  }
  return x;
}

}  // namespace

int main() {
  const Process chain(make_schedule("cosine", 100), MeanType::x0, VarianceType::fixed_small);
  const DiffusionModel model({{2}, {}}, std::make_unique<Zero>(),
                             std::make_unique<EdmFormulation>(chain, EdmOptions{.sigma_data = 1}));
  const Sampler own{.name = "ralston", .summary = "second order, slope at 2/3 of the step", .sigma = ralston};
  SampleRequest request;
  request.count = 4, request.clip = false;
  for (const Index steps : {10, 20, 40}) {
    request.steps = steps;
    const Tensor x = generate(model, own, request).x;
    request.sampler = "heun";
    std::cout << steps << " steps: ralston " << x[0] << ", heun " << generate(model, request).x[0] << "\n";
  }
}
