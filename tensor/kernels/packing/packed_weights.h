#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// What kernels make of a weight before they multiply by it: its numbers in another order, or transformed.
enum class PackedForm {
  direct_forward,
  direct_data,
  winograd_forward,
  winograd_data,
  thin_forward,
  thin_data,
  linear_forward,
  linear_data
};

/// How a form is made: a tensor, in parts that several threads fill at once. `fill` must not throw. Numbers rounded to
/// bfloat16 make another form, with pairs of them in the reals' places.
struct PackingRecipe {
  Shape shape;
  Index parts;
  std::function<void(Index part, real* form)> fill;
  bool bfloat16 = false;
};

/// The weight in a `form`, of which there may be some (`variant`: a stride, say). It is made here and now, unless a
/// PackedWeights holds the weight and it has been made before; whoever asks while it is being made helps.
Tensor packed_weight(const Tensor& weight, PackedForm form, Index variant, const PackingRecipe& recipe);

/// As long as one lives, these weights' prepared forms are kept and used again: all shards of a training step, all
/// steps of a sampler then pay for them once (but for those that a kernel would rather make anew). Nobody may change
/// the weights meanwhile. Safe to use from many threads.
class PackedWeights {
 public:
  /// Where it is known that each form will be asked for `uses` times, at most, its memory is given back after the last
  /// of them; 0 keeps all forms.
  explicit PackedWeights(const std::vector<Tensor>& weights, Index uses = 0);
  ~PackedWeights();
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

 private:
  std::vector<Tensor> weights_;
};

}  // namespace reverie::inline REVERIE_PRECISION::kernels
