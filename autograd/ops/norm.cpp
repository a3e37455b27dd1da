#include "autograd/op_case.h"
#include "tensor/kernels/group_norm.h"
#include "tensor/kernels/row_norm.h"

// Group norm, modulated and followed by f (silu, or the identity):
//     z = (x - mean) rstd,  rstd = 1 / sqrt(variance + eps),  u = (z weight + bias) (1 + scale) + shift,  y = f(u),
// with mean and variance over all positions and channels of a group.
// [Wu18]
//
// Backward: let du = f'(u) dy and, for each sample and channel, S = sum of du and D = sum of du (x - mean) over the
// positions. Then
//     dshift = S,  dscale = weight rstd D + bias S,
//     dbias = sum over samples of (1 + scale) S,  dweight = sum over samples of (1 + scale) rstd D.
// An x changes the mean of its group by 1/n and rstd by -rstd^2 z / n, for a group of n elements. So with
// dz = weight (1 + scale) du, and means over the group,
//     dx = rstd (dz - mean(dz) - z mean(dz z)).
//
// Layer norm has one group per row, no modulation and no f. RMS norm subtracts no mean, so its dx lacks mean(dz).
// [Ba16], [Zhang19]
//
// Saved are x, and mean and rstd per sample and channel (group norm) or per row. Group norm's y is cheap to recompute
// from them, so it is not saved.
namespace reverie::inline REVERIE_PRECISION {
namespace {

// Returns the weight or bias, [channels], or a constant tensor if there is none.
Tensor per_channel(const char* op, const char* what, const Var& given, Index channels, real otherwise) {
  if (!given.value().defined()) return Tensor::full({channels}, otherwise);
  require_shape(op, what, given.shape(), {channels});
  return given.value();
}

// Layer norm and RMS norm, over the last axis.
Var row_norm(const char* op, kernels::Centre centre, const Var& x, const Var& weight, const Var& bias, double eps) {
  if (x.rank() < 1) throw ShapeError(op, ": a scalar has no axis to normalise over");
  const Index channels = x.extent(-1);
  const Tensor w = per_channel(op, "weight", weight, channels, 1), b = per_channel(op, "bias", bias, channels, 0);
  const Shape rows{x.shape().product(0, x.rank() - 1)};
  Tensor mean = Tensor::uninitialized(rows), rstd = Tensor::uninitialized(rows), y = Tensor::uninitialized(x.shape());
  kernels::row_norm_forward(centre, x.value(), w, b, eps, mean, rstd, y);
  return record(op, std::move(y), {x, weight, bias}, [centre, x = x.value(), w, mean, rstd](Gradients& g) {
    kernels::row_norm_backward(centre, x, w, mean, rstd, g.output(), g.gradient(0), g.gradient(1), g.gradient(2));
  });
}

// State shared by group norm's backward pass and by recomputing y.
struct GroupNormCall {
  SavedTensor x;
  Tensor weight, bias, modulation;
  Index groups;
  bool silu;
  kernels::GroupNormMoments moments;

  kernels::GroupNormInput input(const Tensor& x) const { return {x, weight, bias, modulation, groups, silu}; }

  Tensor y() const {
    const Tensor value = x.value();
    Tensor y = Tensor::uninitialized(value.shape());
    kernels::group_norm_forward(input(value), moments, y);
    return y;
  }

  void backward(Gradients& g) const {
    const Tensor value = x.value();
    Tensor dy = g.take_output();
    if (!dy.unique()) dy = dy.clone();
    Tensor* sum = g.existing(0);  // else dx takes dy's place
    kernels::group_norm_backward(input(value), moments, dy, sum == nullptr && g.needs(0) ? &dy : sum, g.gradient(1),
                                 g.gradient(2), g.gradient(3));
    if (sum == nullptr) g.add(0, std::move(dy));
  }
};

Var group_norm_and(const char* op, const Var& x, const Var& weight, const Var& bias, Index groups, double eps,
                   const Var& modulation, bool silu) {
  if (x.rank() < 2) throw ShapeError(op, ": expects an input [N,...,C], got ", x.shape());
  const Index channels = x.extent(-1);
  if (groups < 1 || channels % groups != 0) {
    throw ShapeError(op, ": ", channels, " channels do not divide into ", groups, " groups");
  }
  if (modulation.value().defined())
    require_shape(op, "the modulation", modulation.shape(), {x.extent(0), 2 * channels});
  const auto call = std::make_shared<const GroupNormCall>(GroupNormCall{
      SavedTensor(x), per_channel(op, "weight", weight, channels, 1), per_channel(op, "bias", bias, channels, 0),
      modulation.value(), groups, silu, kernels::group_norm_moments(x.value(), groups, eps)});
  return recomputable(record(op, call->y(), {x, weight, bias, modulation}, [call](Gradients& g) { call->backward(g); }),
                      [call] { return call->y(); });
}

}  // namespace

Var group_norm(const Var& x, const Var& weight, const Var& bias, Index groups, double eps) {
  return group_norm_and("group_norm", x, weight, bias, groups, eps, {}, false);
}

Var group_norm_silu(const Var& x, const Var& weight, const Var& bias, Index groups, const Var& modulation, double eps) {
  return group_norm_and("group_norm_silu", x, weight, bias, groups, eps, modulation, true);
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
  const auto modulated = [](const char* label, const Shape& x, Index groups) {
    const Shape c{x[-1]}, modulation{x[0], 2 * x[-1]};
    return OpCase{"group_norm_silu", label, {{x}, {c}, {c}, {modulation}}, [groups](std::span<const Var> in) {
                    return group_norm_silu(in[0], in[1], in[2], groups, in[3]);
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
      {"group_norm_silu",
       "",
       {{{2, 3, 5, 6}}, {{6}}, {{6}}},
       [](std::span<const Var> in) { return group_norm_silu(in[0], in[1], in[2], 2); }},
      modulated("modulated", {2, 3, 5, 6}, 3),
      modulated("more channels than a chunk", {2, 4, 37}, 37),
      modulated("more positions than a block", {2, 21, 13, 4}, 1),
      {"group_norm_silu",
       "its value again",
       {{{2, 5, 4}}, {{3, 4}}},
       [](std::span<const Var> in) { return linear(group_norm_silu(in[0], {}, {}, 2), in[1]); }},
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
