#pragma once
#include <vector>

#include "nn/cross_attention.h"

namespace reverie::inline REVERIE_PRECISION {

struct TextEncoderOptions {
  Index tokens = 0;  ///< rows of the token table, 0 for a network without captions
  Index length = 0;  ///< tokens of a caption
  Index width = 64;  ///< channels of a token's features
  Index depth = 2;   ///< transformer blocks
  Index heads = 4;   ///< must divide `width` (ShapeError)
  Index pooled = 0;  ///< channels of the summary of a caption
};

/// A small transformer that reads captions: token and position embeddings, then `depth` pre-norm blocks of
/// self-attention and a two-layer perceptron, then a norm. Every token attends to every other one, padding included.
/// [Vaswani17], [Xiong20]
class TextEncoder {
 public:
  TextEncoder(const Scope& scope, const TextEncoderOptions& options);
  /// tokens: N captions of `length` tokens -> [N,length,width]. `on`: a Var whose tape the result joins. Throws Error
  /// if there are not N `length` tokens for samples [N,...].
  Var operator()(std::span<const Index> tokens, const Var& on) const;
  /// A caption in one vector, a linear function of the mean over its tokens. features: [N,length,width] -> [N,pooled].
  Var summary(const Var& features) const;

 private:
  struct Block {
    LayerNorm attention_norm;
    Linear qkv, projection;
    LayerNorm mlp_norm;
    Linear first, second;
  };
  TextEncoderOptions options_;
  Embedding tokens_;
  Parameter& positions_;  // [length,width]
  std::vector<Block> blocks_;
  LayerNorm norm_;
  Linear summary_;
};

}  // namespace reverie::inline REVERIE_PRECISION
