// Prints the table of docs/samplers.md: the measured order of every deterministic solver.
#include "benchmarks/sampler_order.h"

#include <cstdio>

using namespace reverie;

int main() {
  const Index coarse = 16, fine = 128;
  const GaussianMixture one = one_gaussian(), two = two_gaussians();
  std::printf(
      "| solver | order claimed | measured, Gaussian | measured, two Gaussians | error, %d steps | evaluations |\n",
      static_cast<int>(coarse));
  std::printf("|---|---|---|---|---|---|\n");
  for (const Solver& solver : solvers()) {
    Index evaluations = 0;
    const double error = sampler_error(solver, two, coarse, &evaluations);
    std::printf("| %s | %.0f | %.2f | %.2f | %.1e | %d |\n", solver_label(solver).c_str(), solver.order,
                measured_order(solver, one, fine), measured_order(solver, two, fine), error,
                static_cast<int>(evaluations));
  }
}
