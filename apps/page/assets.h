#pragma once
#include <map>
#include <string>
#include <string_view>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Files that the program holds, by the names that apps/meson.build gives them: the parts of the report's page, uPlot,
/// and, as NAME.toml and NAME.csv, the ready configurations with a known good curve.
const std::map<std::string, std::string_view>& assets();

}  // namespace reverie::inline REVERIE_PRECISION
