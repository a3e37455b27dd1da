#include "nn/cross_attention.h"

namespace reverie::inline REVERIE_PRECISION {

CrossAttention::CrossAttention(const Scope& scope, Index channels, Index text_width, Index heads)
    : heads_(heads),
      norm_(scope / "norm", channels),
      query_(xavier_linear(scope / "to_q", channels, channels)),
      key_(xavier_linear(scope / "to_k", text_width, channels)),
      value_(xavier_linear(scope / "to_v", text_width, channels)),
      projection_(scope / "to_out", channels, channels, zeros()) {
  if (heads < 1 || channels % heads != 0) {
    throw ShapeError("cross-attention: ", channels, " channels do not divide into ", heads, " heads");
  }
}

Var CrossAttention::operator()(const Var& x, const Var& text) const {
  const Var tokens = reshape(norm_(x), {x.extent(0), -1, x.extent(x.rank() - 1)});
  return x + reshape(projection_(attention(query_(tokens), key_(text), value_(text), heads_)), x.shape());
}

}  // namespace reverie::inline REVERIE_PRECISION
