#include "tensor/kernels/norm.h"

#include "autograd/op_case.h"

// With z = (x - mean) / sqrt(variance + eps):  y = z weight + bias. The backward formulas stand beside their loops in
// tensor/kernels/norm.cpp. Kept are x and two numbers for each sample and channel (group norm) or row (the others).
namespace reverie::inline REVERIE_PRECISION {
namespace {

// A weight or bias of `channels` elements, or a constant in its place where there is none.
Tensor per_channel(const char* op, const char* what, const Var& given, Index channels, real otherwise) {
  if (!given.value().defined()) return Tensor::full({channels}, otherwise);
  require_shape(op, what, given.shape(), {channels});
  return given.value();
}

// Layer norm and RMS norm: over the last axis.
Var row_norm(const char* op, kernels::Centre centre, const Var& x, const Var& weight, const Var& bias, double eps) {
  if (x.rank() < 1) throw ShapeError(op, ": a scalar has no axis to normalise over");
  const Index channels = x.extent(-1);
  const Tensor w = per_channel(op, "weight", weight, channels, 1), b = per_channel(op, "bias", bias, channels, 0);
  const Shape rows{x.shape().product(0, x.rank() - 1)};
  Tensor mean = Tensor::uninitialized(rows), rstd = Tensor::uninitialized(rows), y = Tensor::uninitialized(x.shape());
  kernels::row_norm_forward(centre, x.value(), w, b, eps, mean, rstd, y);
  return record(op, std::move(y), {x, weight, bias}, [centre, x = x.value(), w, mean, rstd](Gradients& g) {
    kernels::row_norm_backward(centre, x, w, mean, rstd, g.output(), g.wanted(0), g.wanted(1), g.wanted(2));
  });
}

}  // namespace

Var group_norm(const Var& x, const Var& weight, const Var& bias, Index groups, double eps) {
  if (x.rank() < 2) throw ShapeError("group_norm: input ", x.shape(), " wants two axes or more, [N,...,C]");
  const Index channels = x.extent(-1);
  if (groups < 1 || channels % groups != 0) {
    throw ShapeError("group_norm: ", channels, " channels do not divide into ", groups, " groups");
  }
  const Tensor w = per_channel("group_norm", "weight", weight, channels, 1);
  const Tensor b = per_channel("group_norm", "bias", bias, channels, 0);
  const Shape moments{x.extent(0), channels};
  Tensor mean = Tensor::uninitialized(moments), rstd = Tensor::uninitialized(moments);
  Tensor y = Tensor::uninitialized(x.shape());
  kernels::group_norm_forward(x.value(), w, b, groups, eps, mean, rstd, y);
  return record("group_norm", std::move(y), {x, weight, bias}, [x = x.value(), w, groups, mean, rstd](Gradients& g) {
    kernels::group_norm_backward(x, w, groups, mean, rstd, g.output(), g.wanted(0), g.wanted(1), g.wanted(2));
  });
}

Var layer_norm(const Var& x, const Var& weight, const Var& bias, double eps) {
  return row_norm("layer_norm", kernels::Centre::yes, x, weight, bias, eps);
}

Var rms_norm(const Var& x, const Var& weight, double eps) {
  return row_norm("rms_norm", kernels::Centre::no, x, weight, {}, eps);
}

OpCases norm_cases() {
  const auto groups = [](const char* label, const Shape& x, Index groups) {
    const Shape c{x[-1]};
    return OpCase{"group_norm", label, {{x}, {c}, {c}}, [groups](std::span<const Var> in) {
                    return group_norm(in[0], in[1], in[2], groups);
                  }};
  };
  const auto layer = [](const char* label, const Shape& x) {
    const Shape c{x[-1]};
    return OpCase{
        "layer_norm", label, {{x}, {c}, {c}}, [](std::span<const Var> in) { return layer_norm(in[0], in[1], in[2]); }};
  };
  return {
      groups("odd extents", {2, 3, 5, 6}, 2),
      groups("one group", {2, 3, 3, 5}, 1),
      groups("a group for each channel", {2, 3, 4, 7}, 7),
      groups("no positions", {3, 8}, 2),
      groups("more positions than a block", {1, 19, 15, 4}, 2),
      {"group_norm", "no weight", {{{2, 5, 6}}}, [](std::span<const Var> in) { return group_norm(in[0], {}, {}, 3); }},
      layer("rows", {5, 7}),
      layer("sequence", {2, 3, 17}),
      {"layer_norm", "no weight", {{{3, 9}}}, [](std::span<const Var> in) { return layer_norm(in[0], {}, {}, 1e-6); }},
      {"layer_norm",
       "no bias",
       {{{3, 9}}, {{9}}},
       [](std::span<const Var> in) { return layer_norm(in[0], in[1], {}); }},
      {"rms_norm", "rows", {{{5, 7}}, {{7}}}, [](std::span<const Var> in) { return rms_norm(in[0], in[1]); }},
      {"rms_norm", "sequence", {{{2, 3, 17}}, {{17}}}, [](std::span<const Var> in) { return rms_norm(in[0], in[1]); }},
      {"rms_norm", "no weight", {{{3, 9}}}, [](std::span<const Var> in) { return rms_norm(in[0], {}); }}};
}

}  // namespace reverie::inline REVERIE_PRECISION
