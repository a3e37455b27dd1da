#pragma once
#include "nn/layers.h"

namespace reverie::inline REVERIE_PRECISION {

/// A linear layer with a transformer's initialisation: weights Xavier-uniform, bias zero.
/// [Glorot10]
inline Linear xavier_linear(const Scope& scope, Index in, Index out) {
  return Linear(scope, in, out, xavier_uniform(in, out));
}

/// Lets the positions of an image attend to the tokens of its caption: x + projection(attention(q(norm(x)), k(text),
/// v(text))). The projection starts at zero, so a new layer returns x.
/// [Rombach22] sec. 3.3
class CrossAttention {
 public:
  /// Throws ShapeError if `channels` does not divide into `heads`.
  CrossAttention(const Scope& scope, Index channels, Index text_width, Index heads);
  /// x: [N,...,channels], text: [N,L,text_width] -> x's shape.
  Var operator()(const Var& x, const Var& text) const;

 private:
  Index heads_;
  LayerNorm norm_;
  Linear query_, key_, value_, projection_;
};

}  // namespace reverie::inline REVERIE_PRECISION
