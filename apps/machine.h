#pragma once
#include <string>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// The machine that the program runs on, and when.
struct Machine {
  std::string time;       ///< "2024-05-31 14:03", local
  std::string processor;  ///< as the system calls it; "unknown" if it doesn't say
  int threads;
  std::string memory;  ///< "31 GB"
};
Machine this_machine();

}  // namespace reverie::inline REVERIE_PRECISION
