#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tensor/storage.h"

using namespace reverie;

TEST_CASE("a Var without a tape only computes") {
  const Var y = exp(Var(Tensor::from({2}, {0, 0}))) + 1;
  CHECK(y.tape() == nullptr);
  CHECK(y.value()[0] == doctest::Approx(2));
}

TEST_CASE("a result of constants alone is not recorded, but has the tape") {
  Tape tape;
  const Var x = tape.constant(Tensor::from({2}, {1, 2}));
  const Var y = square(x);
  CHECK(tape.records().empty());
  CHECK(y.tape() == &tape);
  const Var p = tape.parameter(Tensor::from({2}, {3, 4}), 0);
  CHECK((y * p).needs_gradient());
}

TEST_CASE("the gradients of all uses add up: d(x x + x)/dx = 2x + 1") {
  Tape tape;
  const Var x = tape.variable(Tensor::from({3}, {1, -2, 0.5}));
  tape.backward(sum(x * x + x));
  for (Index i = 0; i < 3; ++i) CHECK(tape.gradient(x)[i] == doctest::Approx(2 * x.value()[i] + 1));
}

TEST_CASE("a gradient that is passed on is copied before anything is added to it") {
  Tape tape;  // a and b share dL/dy of a + b; the second use of a must not change it for b
  const Var a = tape.variable(Tensor::from({2}, {1, 2})), b = tape.variable(Tensor::from({2}, {3, 4}));
  const Var y = a + b;
  tape.backward(sum(y * 2 + a * 10));
  CHECK(tape.gradient(a)[0] == doctest::Approx(12));
  CHECK(tape.gradient(b)[0] == doctest::Approx(2));
}

TEST_CASE("a parameter is one leaf however often it is used; its gradient is added to its slot") {
  Tape tape;
  const Tensor value = Tensor::from({2}, {1, 2});
  std::vector<Tensor> slots = {Tensor::full({2}, 100)};
  const Var p = tape.parameter(value, 0), again = tape.parameter(value, 0);
  CHECK(p.node() == again.node());
  tape.backward(sum(p * 3 + again), slots);
  CHECK(slots[0][1] == doctest::Approx(104));
}

TEST_CASE("backward from a parameter itself adds the covector to its slot") {
  std::vector<Tensor> slots = {Tensor::full({2}, 1)};
  Tape tape;
  tape.backward(tape.parameter(Tensor::full({2}, 3), 0), Tensor::full({2}, 4), slots);
  CHECK(slots[0][1] == 5);
}

TEST_CASE("an empty slot gets a tensor of its own when a gradient is added") {
  std::vector<Tensor> slots(4);
  for (const real expected : {real(2), real(4)}) {
    Tape tape;
    const Var p = tape.parameter(Tensor::full({2}, 2), 0), q = tape.parameter(Tensor::full({2}, 5), 1);
    tape.parameter(Tensor::full({2}, 7), 2);  // unused
    tape.backward(sum((p + q) * 2), slots);   // the operands of a sum share their gradient
    CHECK(slots[0][1] == expected);
    CHECK(slots[1][0] == expected);
    CHECK(slots[0].data() != slots[1].data());
    CHECK(!slots[2].defined());
    CHECK(!slots[3].defined());
  }
}

TEST_CASE("a variable that the result does not depend on has a gradient of zeros") {
  Tape tape;
  const Var x = tape.variable(Tensor::from({1}, {1})), other = tape.variable(Tensor::from({2}, {1, 2}));
  tape.backward(sum(x));
  CHECK(tape.gradient(other)[1] == 0);
}

TEST_CASE("backward frees the saved tensors") {
  const Index before = memory_use().live_bytes;
  Tape tape;
  Tensor big = Tensor::full({1000}, 0.5);
  {
    Var x = tape.variable(big);
    big = {};
    for (int i = 0; i < 20; ++i) x = sigmoid(x);
    tape.backward(sum(x));
  }
  constexpr Index gradient_bytes = 1000 * sizeof(real);  // only the leaf's gradient is left
  CHECK(memory_use().live_bytes - before <= gradient_bytes);
}

TEST_CASE("wrong use throws an error that names it") {
  Tape tape, other;
  const Var x = tape.variable(Tensor::from({2}, {1, 2}));
  CHECK_THROWS_WITH_AS(tape.backward(x), doctest::Contains("single number"), ShapeError);
  CHECK_THROWS_WITH_AS(x + other.variable(Tensor::from({2}, {1, 2})), doctest::Contains("two different tapes"), Error);
  CHECK_THROWS_AS(tape.backward(sum(tape.constant(Tensor::scalar(1)))), Error);
  const Var loss = sum(x);
  tape.backward(loss);
  CHECK_THROWS_WITH_AS(tape.backward(loss), doctest::Contains("consumed"), Error);
}

TEST_CASE("a checking tape names the operation that produced the first NaN or infinity, forward and backward") {
  Tape forward(Tape::Check::finite);
  const Var x = forward.variable(Tensor::from({2}, {1, 0}));
  CHECK_THROWS_WITH_AS(log(x), "the result of log is not finite", NotFiniteError);
  Tape backward(Tape::Check::finite);
  const Var z = sqrt(backward.variable(Tensor::from({1}, {0})));  // the slope of sqrt at 0 is infinite
  CHECK_THROWS_WITH_AS(backward.backward(sum(z)), "the gradient that sqrt passes back is not finite", NotFiniteError);
}

TEST_CASE("a NaN stays visible through every elementwise function") {
  const Tensor nan = Tensor::from({1}, {std::numeric_limits<double>::quiet_NaN()});
  for (Var (*f)(const Var&) : {static_cast<Var (*)(const Var&)>(exp), static_cast<Var (*)(const Var&)>(log),
                               static_cast<Var (*)(const Var&)>(sqrt), static_cast<Var (*)(const Var&)>(tanh), sigmoid,
                               silu, gelu, gelu_tanh, relu, softplus, normal_cdf, square}) {
    CHECK(std::isnan(f(nan).item()));
  }
  CHECK(std::isnan(clamp(nan, -1, 1).item()));
}
