#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"
#include "diffusion/model/config.h"

namespace reverie::inline REVERIE_PRECISION {

/// Warns about settings that you will probably regret, though they can be trained: one sentence each, on what is wrong
/// and what would help. Reads a thousand samples of the data. Call it after `check_config`, which throws for settings
/// that can't be.
std::vector<std::string> lint(const Config& config, const Dataset& train);

}  // namespace reverie::inline REVERIE_PRECISION
