#pragma once
#include <functional>
#include <string>
#include <vector>

#include "autograd/ops.h"

namespace reverie::inline REVERIE_PRECISION {

/// One differentiable input of a check case: its shape and the range that its elements are drawn from, uniformly.
struct CaseInput {
  Shape shape;
  double low = -2, high = 2;
};

/// A check case of an operation. The list of all (`op_cases`) drives the float64 gradient check, float against double,
/// and the benchmark; a network that records an operation without a case fails a test.
struct OpCase {
  const char* op;     ///< the name that the operation records
  std::string label;  ///< what is special about this case
  std::vector<CaseInput> inputs;
  std::function<Var(std::span<const Var>)> apply;
};

using OpCases = std::vector<OpCase>;

// One list a file of autograd/ops/.
OpCases arithmetic_cases();
OpCases activation_cases();
OpCases matmul_cases();
OpCases conv_cases();
OpCases resample_cases();
OpCases norm_cases();
OpCases softmax_cases();
OpCases attention_cases();
OpCases shape_cases();
OpCases reduce_cases();
OpCases lookup_cases();

/// Every case of every operation. Explicit, because static registrars vanish from static libraries.
OpCases op_cases();

/// The inputs of a case, drawn from a seed.
std::vector<Tensor> case_inputs(const OpCase& op_case, std::uint64_t seed = 0);

}  // namespace reverie::inline REVERIE_PRECISION
