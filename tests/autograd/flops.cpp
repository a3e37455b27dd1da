#include "autograd/flops.h"

#include <doctest/doctest.h>

#include "autograd/op_case.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

/// The cost of the last operation of f. The first `constants` inputs need no gradient, the others do.
Flops of_last(std::span<const Shape> shapes, Index constants, const std::function<Var(std::span<const Var>)>& f) {
  Tape tape;
  std::vector<Var> inputs;
  for (const Shape& shape : shapes) {
    const Tensor x = Tensor::full(shape, 0.5);
    inputs.push_back(std::ssize(inputs) < constants ? tape.constant(x) : tape.variable(x));
  }
  f(inputs);
  return flops(tape.records().back());
}

}  // namespace

TEST_CASE("every operation with a check case has a row in the table of costs; the error for any other names it") {
  for (const OpCase& op_case : op_cases()) {
    Tape tape;
    std::vector<Var> inputs;
    for (Tensor& input : case_inputs(op_case)) inputs.push_back(tape.variable(input));
    op_case.apply(inputs);
    for (const Record& record : tape.records()) {
      CAPTURE(std::string(record.op));
      CHECK(flops(record).forward >= 0);
    }
  }
  CHECK(contains(error_of([] { flops({"mystery", {}, {}, -1}); }), "mystery"));
}

TEST_CASE("convolution: 2 x outputs x weights per output, for each of its products") {
  // 28 x 28 pixels, 3 x 3, 32 channels to 64: 2 * 2 * 784 * 64 * 9 * 32
  const std::vector<Shape> shapes = {{2, 28, 28, 32}, {64, 32, 3, 3}, {64}};
  const auto f = [](std::span<const Var> in) { return conv2d(in[0], in[1], in[2], {.padding = 1}); };
  CHECK(of_last(shapes, 0, f).forward == 57802752);
  CHECK(of_last(shapes, 0, f).backward == 2 * 57802752);
  CHECK(of_last(shapes, 1, f).backward == 57802752);  // the image needs no gradient
}

TEST_CASE("groups and strides divide a convolution's cost; a transposed convolution costs as much as its transpose") {
  const auto grouped = [](std::span<const Var> in) {
    return conv2d(in[0], in[1], {}, {.stride = 2, .padding = 1, .groups = 2});
  };
  CHECK(of_last(std::vector<Shape>{{1, 8, 8, 4}, {6, 2, 3, 3}}, 0, grouped).forward == 2 * 16 * 6 * 2 * 9);
  const auto down = [](std::span<const Var> in) { return conv2d(in[0], in[1], {}, {.stride = 2, .padding = 1}); };
  const auto up = [](std::span<const Var> in) {
    return conv_transpose2d(in[0], in[1], {}, {.stride = 2, .padding = 1});
  };
  CHECK(of_last(std::vector<Shape>{{1, 8, 8, 5}, {3, 5, 4, 4}}, 0, down).forward ==
        of_last(std::vector<Shape>{{1, 4, 4, 3}, {3, 5, 4, 4}}, 0, up).forward);
}

TEST_CASE("a linear layer on 7 rows, 5 to 3: 2 x 7 x 5 x 3; matrix products likewise") {
  const auto layer = [](std::span<const Var> in) { return linear(in[0], in[1], in[2]); };
  CHECK(of_last(std::vector<Shape>{{7, 5}, {3, 5}, {3}}, 0, layer).forward == 210);
  CHECK(of_last(std::vector<Shape>{{7, 5}, {3, 5}, {3}}, 0, layer).backward == 420);
  const auto product = [](std::span<const Var> in) { return matmul(in[0], in[1]); };
  CHECK(of_last(std::vector<Shape>{{7, 5}, {5, 3}}, 0, product).forward == 210);
  const auto batch = [](std::span<const Var> in) { return batched_matmul(in[0], in[1]); };
  CHECK(of_last(std::vector<Shape>{{4, 7, 5}, {4, 5, 3}}, 0, batch).forward == 840);
}

TEST_CASE("attention of T queries to S keys in C channels: 4 N T S C forward, twice that backward") {
  const auto cross = [](std::span<const Var> in) { return attention(in[0], in[1], in[2], 2); };
  const Flops apart = of_last(std::vector<Shape>{{2, 5, 6}, {2, 3, 6}, {2, 3, 6}}, 0, cross);
  CHECK(apart.forward == 4 * 2 * 5 * 3 * 6);
  CHECK(apart.backward == 2 * apart.forward);
  const auto joint = [](std::span<const Var> in) { return attention_qkv(in[0], 2, QkvOrder::head_by_head); };
  const Flops together = of_last(std::vector<Shape>{{2, 5, 18}}, 0, joint);
  CHECK(together.forward == 4 * 2 * 5 * 5 * 6);
  CHECK(together.backward == 2 * together.forward);
}
