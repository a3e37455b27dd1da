#pragma once
#include <string>
#include <vector>

#include "tensor/real.h"

/// What every check case gives, with its gradients, in numbers that know no precision. This file's source is compiled
/// into both libraries' worlds, so that one test can hold them side by side.
struct OpOutputs {
  std::string name;
  std::vector<double> values;  ///< y, then the gradient of each input
};

namespace reverie::inline float32 {
std::vector<OpOutputs> op_outputs();
}
namespace reverie::inline float64 {
std::vector<OpOutputs> op_outputs();
}
