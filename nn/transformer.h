#pragma once
#include <optional>
#include <vector>

#include "nn/cross_attention.h"

/// Transformer blocks with norms that are modulated by a condition (the time, the class).
/// [Peebles23]
namespace reverie::inline REVERIE_PRECISION {

/// Computes shifts, scales and gates from a condition, which broadcast over the tokens: [N,D] -> `parts` of [N,1,D].
/// They start at zero for every condition.
class Modulation {
 public:
  Modulation(const Scope& scope, Index width, Index parts) : linear_(scope / 1, width, parts * width, zeros()) {}
  std::vector<Var> operator()(const Var& condition) const;

 private:
  Linear linear_;
};

/// LN(z) (1 + scale) + shift; the norm has no weights, eps 1e-6. z: [N,T,D], shift and scale: [N,1,D].
Var modulated_norm(const Var& z, const Var& shift, const Var& scale);

/// A transformer block with adaLN-zero: z += gate attention(LN(z) (1 + scale) + shift), then the same with a two-layer
/// perceptron instead of attention. The gates start at zero, so the block starts as the identity. With `text_width`, z
/// attends to the tokens of a caption in between.
/// z: [N,T,D], condition: [N,D], text: [N,L,text_width] or none -> [N,T,D].
/// [Peebles23] sec. 3.2
class TransformerBlock {
 public:
  /// Throws ShapeError if `width` does not divide into `heads`.
  TransformerBlock(const Scope& scope, Index width, Index heads, Index mlp_width, Index text_width = 0);
  Var operator()(const Var& z, const Var& condition, const Var& text = {}) const;

 private:
  Index heads_;
  Linear qkv_, projection_, first_, second_;
  Modulation modulation_;
  std::optional<CrossAttention> cross_attention_;
};

}  // namespace reverie::inline REVERIE_PRECISION
