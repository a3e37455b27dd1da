#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"
#include "diffusion/model/config.h"

namespace reverie::inline REVERIE_PRECISION {

/// Describes classes without samples, a sign of labels that count from 1 or of a wrong list of names; empty if there
/// are none.
std::string empty_classes(const Dataset& data);

/// Warns about settings that are valid but that you will probably regret: one sentence each, on what is wrong and what
/// would help. Reads up to a thousand samples of the data. Call it after `check_config`, which throws for invalid
/// settings.
std::vector<std::string> lint(const Config& config, const Dataset& train);

}  // namespace reverie::inline REVERIE_PRECISION
