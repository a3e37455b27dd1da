#include "autograd/flops.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace reverie::inline REVERIE_PRECISION {
namespace {

/// What an operation's cost is proportional to.
using Work = double (*)(const Record& r);

double extent(const Shape& shape, int axis) { return static_cast<double>(shape[axis]); }
double size(const Shape& shape) { return static_cast<double>(shape.size()); }
const Shape& in(const Record& r, std::size_t i) { return r.inputs[i].shape; }

double elements(const Record& r) { return size(r.output); }
double input_elements(const Record& r) { return size(in(r, 0)); }

// Multiply-adds of a product: each element of the result (of the input, for the transposed convolution) meets as many
// weights as there are for its channel.
double matmul(const Record& r) { return elements(r) * extent(in(r, 0), -1); }
double linear(const Record& r) { return elements(r) * extent(in(r, 1), 1); }
double conv(const Record& r) { return elements(r) * size(in(r, 1)) / extent(in(r, 1), 0); }
double conv_transpose(const Record& r) { return input_elements(r) * size(in(r, 1)) / extent(in(r, 1), 0); }
double scores(const Record& r) { return size(in(r, 0)) * extent(in(r, 1), 1); }     // q k^T; as many for p v
double joint_scores(const Record& r) { return elements(r) * extent(r.output, 1); }  // the same on q, k, v in one

/// A line of the table: operations for each unit of work, forward, and backward for the gradient of each input.
struct Line {
  std::string_view op;
  Work work;
  double forward;
  std::array<double, 4> backward;  // none for further inputs
};

constexpr Line table[] = {
    {"parameter", elements, 0, {}},
    {"variable", elements, 0, {}},
    // arithmetic
    {"add", elements, 1, {1, 1}},
    {"sub", elements, 1, {1, 1}},
    {"mul", elements, 1, {1, 1}},
    {"div", elements, 1, {1, 2}},
    {"affine", elements, 2, {1}},
    // elementwise functions, backward with the product by dy
    {"exp", elements, 1, {1}},
    {"log", elements, 1, {1}},
    {"sqrt", elements, 1, {2}},
    {"square", elements, 1, {2}},
    {"tanh", elements, 1, {3}},
    {"sigmoid", elements, 4, {3}},
    {"silu", elements, 5, {9}},
    {"gelu", elements, 4, {10}},
    {"gelu_tanh", elements, 9, {17}},
    {"relu", elements, 1, {1}},
    {"softplus", elements, 6, {5}},
    {"normal_cdf", elements, 3, {5}},
    {"clamp", elements, 2, {3}},
    {"dropout_mask", elements, 2, {2}},
    // products
    {"matmul", matmul, 2, {2, 2}},
    {"batched_matmul", matmul, 2, {2, 2}},
    {"linear", linear, 2, {2, 2}},
    {"conv2d", conv, 2, {2, 2}},
    {"conv_transpose2d", conv_transpose, 2, {2, 2}},
    {"attention", scores, 4, {3, 3, 2}},  // dp = dy v^T serves both q and k
    {"attention_qkv", joint_scores, 4, {8}},
    // norms: the moments and the result; backward z again, its sums with dy, and dx
    {"group_norm", elements, 8, {9, 2, 1}},
    {"group_norm_silu", elements, 15, {18, 2, 1, 3}},  // with modulation
    {"layer_norm", elements, 8, {9, 2, 1}},
    {"rms_norm", elements, 5, {7, 2}},
    {"softmax", elements, 5, {4}},
    {"log_softmax", elements, 5, {4}},
    {"cross_entropy", input_elements, 5, {3}},
    // sums
    {"sum", input_elements, 1, {}},
    {"mean", input_elements, 1, {1}},
    {"avg_pool2d", input_elements, 1, {1}},
    {"upsample_nearest", elements, 0, {1}},
    // numbers that move
    {"reshape", elements, 0, {}},
    {"permute", elements, 0, {}},
    {"concat", elements, 0, {}},
    {"slice", elements, 0, {}},
    {"embedding", elements, 0, {1}},
};

}  // namespace

Flops flops(const Record& r) {
  const auto line = std::find_if(std::begin(table), std::end(table), [&](const Line& l) { return l.op == r.op; });
  if (line == std::end(table)) throw Error("flops: no line for the operation ", r.op, " in autograd/flops.cpp");
  const double work = line->work(r);
  Flops flops{line->forward * work, 0};
  for (std::size_t i = 0; i < std::min(r.inputs.size(), line->backward.size()); ++i) {
    if (r.inputs[i].node >= 0) flops.backward += line->backward[i] * work;
  }
  return flops;
}

}  // namespace reverie::inline REVERIE_PRECISION
