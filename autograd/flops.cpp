#include "autograd/flops.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace reverie::inline REVERIE_PRECISION {
namespace {

/// The quantity that an operation's cost is proportional to.
using Work = double (*)(const Record& r);

double extent(const Shape& shape, int axis) { return shape[axis]; }
double size(const Shape& shape) { return shape.size(); }
const Shape& in(const Record& r, std::size_t i) { return r.inputs[i].shape; }

double elements(const Record& r) { return size(r.output); }
double input_elements(const Record& r) { return size(in(r, 0)); }

// The multiply-adds of a product: each element of the result (for a transposed convolution: of the input) takes one for
// each weight of its channel.
double matmul(const Record& r) { return elements(r) * extent(in(r, 0), -1); }
double linear(const Record& r) { return elements(r) * extent(in(r, 1), 1); }
double conv(const Record& r) { return elements(r) * size(in(r, 1)) / extent(in(r, 1), 0); }
double conv_transpose(const Record& r) { return input_elements(r) * size(in(r, 1)) / extent(in(r, 1), 0); }
double scores(const Record& r) { return size(in(r, 0)) * extent(in(r, 1), 1); }  // q k^T; p v takes as many
double joint_scores(const Record& r) {
  return elements(r) * extent(r.output, 1);
}  // the same for q, k, v in one tensor

/// A row of the table: operations per unit of work, forward, and backward for the gradient of each input.
struct Row {
  std::string_view op;
  Work work;
  double forward;
  std::array<double, 4> backward;  // further inputs cost nothing
};

constexpr Row table[] = {
    {"parameter", elements, 0, {}},
    {"variable", elements, 0, {}},
    // arithmetic
    {"add", elements, 1, {1, 1}},
    {"sub", elements, 1, {1, 1}},
    {"mul", elements, 1, {1, 1}},
    {"div", elements, 1, {1, 2}},
    {"affine", elements, 2, {1}},
    // elementwise functions; backward includes the product with dy
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
    // norms: the moments and the result; backward recomputes z, sums it with dy, and computes dx
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
    // operations that only move data
    {"reshape", elements, 0, {}},
    {"permute", elements, 0, {}},
    {"concat", elements, 0, {}},
    {"slice", elements, 0, {}},
    {"embedding", elements, 0, {1}},
};

}  // namespace

Flops flops(const Record& r) {
  const auto row =
      std::find_if(std::begin(table), std::end(table), [&](const Row& candidate) { return candidate.op == r.op; });
  if (row == std::end(table)) throw Error("flops: no row for the operation ", r.op, " in autograd/flops.cpp");
  const double work = row->work(r);
  Flops flops{row->forward * work, 0};
  for (std::size_t i = 0; i < std::min(r.inputs.size(), row->backward.size()); ++i) {
    if (r.inputs[i].node >= 0) flops.backward += row->backward[i] * work;
  }
  return flops;
}

}  // namespace reverie::inline REVERIE_PRECISION
