#include <doctest/doctest.h>

#include <set>

#include "autograd/gradcheck.h"
#include "autograd/op_case.h"

using namespace reverie;

#ifdef REVERIE_DOUBLE  // differences in float are too inexact

TEST_CASE("the gradient of every operation agrees with central differences") {
  for (const OpCase& op_case : op_cases()) {
    CAPTURE(op_case.op);
    CAPTURE(op_case.label);
    const GradcheckResult worst = gradcheck(op_case.apply, case_inputs(op_case));
    CAPTURE(worst.input);
    CAPTURE(worst.element);
    CAPTURE(worst.analytic);
    CAPTURE(worst.numeric);
    CHECK(worst.error < 1e-7);
  }
}

TEST_CASE("a wrong gradient is detected") {
  const auto wrong_square = [](std::span<const Var> in) {
    const Tensor x = in[0].value();
    return record("wrong", square(Var(x)).value(), {in[0]}, [x](Gradients& g) {
      g.add(0, (Var(x) * Var(g.output())).value());  // x dy, without the factor 2
    });
  };
  CHECK(gradcheck(wrong_square, std::vector<Tensor>{Tensor::from({3}, {1, 2, 3})}).error > 0.1);
}

TEST_CASE("gradients are contracted with a random covector, so that errors that cancel in a sum are detected") {
  // The gradient of sum(softmax(x)) is zero: with a covector of ones, this backward function would pass.
  const auto wrong_softmax = [](std::span<const Var> in) {
    return record("wrong", softmax(Var(in[0].value())).value(), {in[0]}, [](Gradients& g) { g.gradient(0)->fill(0); });
  };
  CHECK(gradcheck(wrong_softmax, std::vector<Tensor>{Tensor::from({1, 3}, {0.1, 0.2, 0.3})}).error > 1e-3);
}

#endif

TEST_CASE("a check case records the operation it is named after") {
  for (const OpCase& op_case : op_cases()) {
    Tape tape;
    std::vector<Var> inputs;
    for (Tensor& input : case_inputs(op_case)) inputs.push_back(tape.variable(input));
    op_case.apply(inputs);
    std::set<std::string> recorded;
    for (const Record& r : tape.records()) recorded.insert(r.op);
    CAPTURE(op_case.op);
    CHECK(recorded.contains(op_case.op));
  }
}
