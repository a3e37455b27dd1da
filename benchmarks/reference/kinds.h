#pragma once
#include <string>
#include <vector>

#include "benchmarks/reference/case.h"

namespace reverie::inline REVERIE_PRECISION {

/// A line of the table of kinds: `run` does the case's computation with the library's public functions and gives the
/// case every output of its kind.
struct Kind {
  const char* name;
  void (*run)(Case&);
};

using Kinds = std::vector<Kind>;

// One list per file.
Kinds schedule_kinds();
Kinds process_kinds();
Kinds loss_kinds();
Kinds formulation_kinds();
Kinds sampler_kinds();
Kinds op_kinds();
Kinds network_kinds();
Kinds training_kinds();
Kinds metric_kinds();

/// Reads a case's kind and precision. Throws Error for a file that is not a case.
CaseInfo case_info(const std::string& path);
/// Runs a case. Throws Error for a file that is not a case; an exception in the computation makes the case fail.
CaseResult run_case(const std::string& path);

}  // namespace reverie::inline REVERIE_PRECISION
