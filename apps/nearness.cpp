#include "apps/nearness.h"

#include <algorithm>
#include <cmath>

#include "data/subset.h"
#include "diffusion/metrics/memorisation.h"

namespace reverie::inline REVERIE_PRECISION {

double median_nearest(const Tensor& samples, const Dataset& training) {
  constexpr Index most = 10'000, block = 500, enough = 256;
  const Tensor queries = samples.rows(0, std::min(samples.extent(0), enough));
  const Subset some(training, most);
  std::vector<double> nearest(static_cast<std::size_t>(queries.extent(0)), INFINITY);
  for (Index first = 0; first < some.size(); first += block) {
    const auto here = nearest_in_training(queries, samples_of(some, first, std::min(first + block, some.size())));
    for (std::size_t i = 0; i < nearest.size(); ++i) nearest[i] = std::min(nearest[i], here[i]);
  }
  const auto middle = nearest.begin() + static_cast<std::ptrdiff_t>(nearest.size() / 2);
  std::nth_element(nearest.begin(), middle, nearest.end());
  return *middle;
}

}  // namespace reverie::inline REVERIE_PRECISION
