#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"
#include "diffusion/model/config.h"

namespace reverie::inline REVERIE_PRECISION {

/// What a configuration will probably be regretted for, though it can be trained: a sentence each, what is wrong and
/// what would help. Reads a thousand samples of the data. Call it after `check_config`, which refuses what can't be.
std::vector<std::string> lint(const Config& config, const Dataset& train);

}  // namespace reverie::inline REVERIE_PRECISION
