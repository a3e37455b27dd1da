#pragma once
#include <functional>
#include <string>
#include <vector>

#include "autograd/ops.h"

namespace reverie::inline REVERIE_PRECISION {

/// One differentiable input of a check case: its shape, and the range that its elements are drawn from uniformly.
struct CaseInput {
  Shape shape;
  double low = -2, high = 2;
};

/// A check case of an operation. `op_cases` drives the gradient check in double, the comparison of float with double,
/// and the benchmark. A test fails if a network records an operation without a case.
struct OpCase {
  const char* op;     ///< the name that the operation records
  std::string label;  ///< how this case differs from the others
  std::vector<CaseInput> inputs;
  std::function<Var(std::span<const Var>)> apply;
};

using OpCases = std::vector<OpCase>;

// One list for each file of autograd/ops/.
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

/// All cases of all operations. The list is explicit because static registrars vanish from static libraries.
OpCases op_cases();

/// Draws the inputs of a case from a seed.
std::vector<Tensor> case_inputs(const OpCase& op_case, std::uint64_t seed = 0);

}  // namespace reverie::inline REVERIE_PRECISION
