#pragma once
#include <string>
#include <vector>

#include "apps/files.h"

namespace reverie::inline REVERIE_PRECISION {

/// A page about training runs, as HTML that needs no other file and no network: a function of what is in their folders.
/// What is missing or damaged there (previews, a part of the metrics) is left out, and the page says so. Throws Error,
/// naming the folder or file, for a folder that holds no run.
std::string report_page(const std::vector<RunFolder>& runs);

/// What the page has left out, for every run; empty if nothing.
std::vector<std::string> report_problems(const RunFolder& run);

}  // namespace reverie::inline REVERIE_PRECISION
