#pragma once
#include <span>
#include <string>
#include <vector>

#include "diffusion/tables/options.h"

namespace reverie::inline REVERIE_PRECISION {

/// A row of the table of sigma grids: the noise levels that a sampler in the sigma form (x = x_0 + sigma n) visits.
struct SigmaGrid {
  const char* name;
  const char* summary;
  std::vector<OptionInfo> options;
  /// n >= 1 positive values, descending, without the final 0; `values` has every one of `options`.
  std::vector<double> (*sigmas)(Index n, const OptionValues& values);
};

std::span<const SigmaGrid> sigma_grids();

/// Builds the grid called `name` for n sampling steps: n + 1 values, descending, the last 0. Missing options take the
/// table's defaults. Throws UsageError for an unknown name or option, for n outside 1 to 1,000,000, and for values that
/// don't give a descending grid.
std::vector<double> make_sigmas(const std::string& name, Index n, const OptionValues& given = {});

}  // namespace reverie::inline REVERIE_PRECISION
