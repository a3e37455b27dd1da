// Prints a table X.csv of the exact density of x_s given x_t = 0, s < t, for data that is +1 or -1 with equal
// probability, on the linear schedule: the figure of docs/tour/03-reverse-process.md. Each column is one distance t -
// s, with its largest value scaled to 1.
#include <algorithm>
#include <cmath>
#include <iostream>

#include "diffusion/process/schedule.h"

using namespace reverie;

int main() {
  constexpr Index t = 259;
  constexpr Index distances[] = {1, 60, 150, 220};
  const NoiseSchedule chain = make_schedule("linear", 1000);
  std::cout << "x";
  for (const Index distance : distances) std::cout << ",\"from t = " << t << " to " << t - distance << "\"";
  std::cout << "\n";
  for (int i = -160; i <= 260; ++i) {
    const double x = i / 100.0;
    std::cout << x;
    for (const Index distance : distances) {
      const NoiseSchedule step = respace(chain, std::vector<Index>{t - distance, t});
      const double mean = step.posterior_mean_coef1[1], variance = step.posterior_variance[1];
      // x_0 is +1 or -1 with equal probability, also given x_t = 0
      const auto density = [&](double y) {
        return std::exp(-(y - mean) * (y - mean) / (2 * variance)) +
               std::exp(-(y + mean) * (y + mean) / (2 * variance));
      };
      double largest = 0;
      for (int k = 0; k <= 300; ++k) largest = std::max(largest, density(k / 200.0));
      std::cout << "," << density(x) / largest;
    }
    std::cout << "\n";
  }
}
