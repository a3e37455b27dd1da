#include "autograd/op_case.h"

namespace reverie::inline REVERIE_PRECISION {

OpCases op_cases() {
  OpCases all;
  for (const auto list : {arithmetic_cases, activation_cases, matmul_cases, conv_cases, resample_cases, norm_cases,
                          softmax_cases, attention_cases, shape_cases, reduce_cases, lookup_cases}) {
    for (OpCase& op_case : list()) all.push_back(std::move(op_case));
  }
  return all;
}

std::vector<Tensor> case_inputs(const OpCase& op_case, std::uint64_t seed) {
  std::vector<Tensor> inputs;
  for (const CaseInput& input : op_case.inputs) {
    inputs.push_back(Tensor::uninitialized(input.shape));
    const RandomKey key = RandomKey{.seed = seed, .stream = Stream::probe}.with_channel(std::ssize(inputs));
    fill_uniform(key, input.low, input.high, inputs.back().values());
  }
  return inputs;
}

}  // namespace reverie::inline REVERIE_PRECISION
