#include "nn/text_encoder.h"

#include <array>

namespace reverie::inline REVERIE_PRECISION {

TextEncoder::TextEncoder(const Scope& scope, const TextEncoderOptions& o)
    : options_(o),
      tokens_(scope / "token_embedding", o.tokens, o.width, gaussian(0.02)),
      positions_(scope.add("positional_embedding", {o.length, o.width}, gaussian(0.01))),
      norm_(scope / "ln_final", o.width),
      summary_(scope / "pooled", o.width, o.pooled, gaussian(0.02)) {
  if (o.heads < 1 || o.width % o.heads != 0) {
    throw ShapeError("text encoder: ", o.width, " channels do not divide into ", o.heads, " heads");
  }
  for (Index i = 0; i < o.depth; ++i) {
    const Scope block = scope / "blocks" / i;
    blocks_.push_back({LayerNorm(block / "ln_1", o.width), xavier_linear(block / "attn" / "qkv", o.width, 3 * o.width),
                       xavier_linear(block / "attn" / "proj", o.width, o.width), LayerNorm(block / "ln_2", o.width),
                       xavier_linear(block / "mlp" / "fc1", o.width, 4 * o.width),
                       xavier_linear(block / "mlp" / "fc2", 4 * o.width, o.width)});
  }
}

Var TextEncoder::operator()(std::span<const Index> tokens, const Var& on) const {
  const Index N = on.extent(0), L = options_.length;
  if (std::ssize(tokens) != N * L) {
    throw Error("text encoder: ", tokens.size(), " tokens for ", N, " samples; expects ", L, " for each");
  }
  Var z = embedding(tokens_.weight.on(on), tokens, {N, L}) + positions_.on(on);
  for (const Block& b : blocks_) {
    z = z + b.projection(attention_qkv(b.qkv(b.attention_norm(z)), options_.heads, QkvOrder::q_then_k_then_v));
    z = z + b.second(gelu_tanh(b.first(b.mlp_norm(z))));
  }
  return norm_(z);
}

Var TextEncoder::summary(const Var& features) const { return summary_(mean_axes(features, std::array{1})); }

}  // namespace reverie::inline REVERIE_PRECISION
