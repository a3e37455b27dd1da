#include "tests/precision/op_outputs.h"

#include "autograd/op_case.h"

namespace reverie::inline REVERIE_PRECISION {

std::vector<OpOutputs> op_outputs() {
  std::vector<OpOutputs> all;
  for (const OpCase& op_case : op_cases()) {
    Tape tape;
    std::vector<Var> inputs;
    for (Tensor& input : case_inputs(op_case)) inputs.push_back(tape.variable(input));
    const Var y = op_case.apply(inputs);
    OpOutputs out{std::string(op_case.op) + " " + op_case.label,
                  {y.value().values().begin(), y.value().values().end()}};
    tape.backward(y, normal({.seed = 3, .stream = Stream::probe}, y.shape()), {});
    for (const Var& x : inputs) {
      const Tensor gradient = tape.gradient(x);
      out.values.insert(out.values.end(), gradient.values().begin(), gradient.values().end());
    }
    all.push_back(std::move(out));
  }
  return all;
}

}  // namespace reverie::inline REVERIE_PRECISION
