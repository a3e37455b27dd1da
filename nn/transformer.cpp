#include "nn/transformer.h"

namespace reverie::inline REVERIE_PRECISION {

std::vector<Var> Modulation::operator()(const Var& condition) const {
  const Var all = reshape(linear_(condition), {condition.extent(0), 1, -1});
  std::vector<Var> parts;
  for (Index first = 0, width = condition.extent(1); first < all.extent(2); first += width)
    parts.push_back(slice(all, -1, first, first + width));
  return parts;
}

Var modulated_norm(const Var& z, const Var& shift, const Var& scale) {
  return layer_norm(z, {}, {}, 1e-6) * (1.0 + scale) + shift;
}

TransformerBlock::TransformerBlock(const Scope& scope, Index width, Index heads, Index mlp_width, Index text_width)
    : heads_(heads),
      qkv_(xavier_linear(scope / "attn" / "qkv", width, 3 * width)),
      projection_(xavier_linear(scope / "attn" / "proj", width, width)),
      first_(xavier_linear(scope / "mlp" / "fc1", width, mlp_width)),
      second_(xavier_linear(scope / "mlp" / "fc2", mlp_width, width)),
      modulation_(scope / "adaLN_modulation", width, 6) {
  if (heads < 1 || width % heads != 0) {
    throw ShapeError("attention: ", width, " channels do not divide into ", heads, " heads");
  }
  if (text_width > 0) cross_attention_.emplace(scope / "cross_attn", width, text_width, heads);
}

Var TransformerBlock::operator()(const Var& z, const Var& condition, const Var& text) const {
  const std::vector<Var> m = modulation_(condition);  // shift, scale and gate, for attention and for the perceptron
  const Var qkv = qkv_(modulated_norm(z, m[0], m[1]));
  Var attended = z + m[2] * projection_(attention_qkv(qkv, heads_, QkvOrder::q_then_k_then_v));
  if (cross_attention_) attended = (*cross_attention_)(attended, text);
  return attended + m[5] * second_(gelu_tanh(first_(modulated_norm(attended, m[3], m[4]))));
}

}  // namespace reverie::inline REVERIE_PRECISION
