#include "nn/blocks.h"

namespace reverie::inline REVERIE_PRECISION {

Var resample(const Var& x, Resample how) {
  switch (how) {
    case Resample::up:
      return upsample_nearest(x, 2);
    case Resample::down:
      return avg_pool2d(x, 2, 2);
    case Resample::none:
      break;
  }
  return x;
}

ResidualBlock::ResidualBlock(const Scope& scope, const ResidualBlockOptions& o)
    : options_(o),
      in_norm_(scope / "in_layers" / 0, o.in),
      in_conv_(scope / "in_layers" / 2, o.in, o.out, 3, {.padding = 1}),
      embedding_(scope / "emb_layers" / 1, o.embedding, o.scale_shift_norm ? 2 * o.out : o.out),
      out_norm_(scope / "out_layers" / 0, o.out),
      dropout_{o.dropout, o.dropout_id},
      out_conv_(scope / "out_layers" / 3, o.out, o.out, 3, {.padding = 1}, zeros()) {
  if (o.in != o.out) skip_.emplace(scope / "skip_connection", o.in, o.out, 1);
}

Var ResidualBlock::operator()(const Var& x, const Var& embedding, const Mode& mode) const {
  Var h = in_conv_(resample(in_norm_.then_silu(x), options_.resample));
  const Var e = embedding_(silu(embedding));
  if (options_.scale_shift_norm) {
    h = out_norm_.then_silu(h, e);  // [Dhariwal21] sec. 3.1, AdaGN
  } else {
    h = out_norm_.then_silu(h + reshape(e, {e.extent(0), 1, 1, -1}));
  }
  h = out_conv_(dropout_(h, mode));
  const Var skip = resample(x, options_.resample);
  return (skip_ ? (*skip_)(skip) : skip) + std::move(h);
}

AttentionBlock::AttentionBlock(const Scope& scope, Index channels, Index heads, QkvOrder order)
    : heads_(heads),
      order_(order),
      norm_(scope / "norm", channels),
      qkv_weight_((scope / "qkv").add("weight", {3 * channels, channels, 1}, uniform_fan_in(channels))),
      qkv_bias_((scope / "qkv").add("bias", {3 * channels}, uniform_fan_in(channels))),
      projection_weight_((scope / "proj_out").add("weight", {channels, channels, 1}, zeros())),
      projection_bias_((scope / "proj_out").add("bias", {channels}, zeros())) {
  if (heads < 1 || channels % heads != 0) {
    throw ShapeError("attention: ", channels, " channels do not divide into ", heads, " heads");
  }
}

Var AttentionBlock::operator()(const Var& x) const {
  const auto pointwise = [&x](const Var& tokens, const Parameter& weight, const Parameter& bias) {
    return linear(tokens, reshape(weight.on(x), {weight.value.extent(0), -1}), bias.on(x));
  };
  const Var tokens = reshape(norm_(x), {x.extent(0), x.extent(1) * x.extent(2), x.extent(3)});
  const Var attended = attention_qkv(pointwise(tokens, qkv_weight_, qkv_bias_), heads_, order_);
  return x + reshape(pointwise(attended, projection_weight_, projection_bias_), x.shape());
}

}  // namespace reverie::inline REVERIE_PRECISION
