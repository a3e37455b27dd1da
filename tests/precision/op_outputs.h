#pragma once
#include <string>
#include <vector>

#include "tensor/real.h"

/// The results and gradients of a check case, in double whatever the precision. The source is compiled for float and
/// for double, so that one test can compare them.
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
