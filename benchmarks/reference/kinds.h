#pragma once
#include <string>
#include <vector>

#include "benchmarks/reference/case.h"

namespace reverie::inline REVERIE_PRECISION {

/// A line of the table of kinds: runs the case's computation with the library's public functions and hands over every
/// output that the kind has.
struct Kind {
  const char* name;
  void (*run)(Case&);
};

using Kinds = std::vector<Kind>;

// One list a file.
Kinds schedule_kinds();
Kinds process_kinds();
Kinds loss_kinds();
Kinds formulation_kinds();
Kinds sampler_kinds();
Kinds op_kinds();
Kinds network_kinds();
Kinds training_kinds();
Kinds metric_kinds();

/// What a file says of itself. Throws Error for a file that is no case.
CaseInfo case_info(const std::string& path);
/// Runs the case. Throws Error for a file that is no case; whatever goes wrong in the computation is a failed case.
CaseResult run_case(const std::string& path);

}  // namespace reverie::inline REVERIE_PRECISION
