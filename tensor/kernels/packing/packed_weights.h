#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// What the packed weights are for: each kernel reads them in its own layout, and Winograd's also transforms them.
enum class PackedLayout {
  direct_forward,
  direct_data,
  winograd_forward,
  winograd_data,
  thin_forward,
  thin_data,
  linear_forward,
  linear_data
};

/// How to pack a weight: into a tensor of `shape`, in parts that several threads fill at once.
/// With `bfloat16` the tensor holds pairs of numbers in bfloat16 in place of reals.
struct Packer {
  Shape shape;
  Index parts;
  std::function<void(Index part, real* packed)> pack;
  bool bfloat16 = false;
};

/// Returns the weight packed in a layout; `variant` tells apart several of one layout (strides, say). Packs it now,
/// unless a PackedWeights object has it in its cache. Threads that need it at the same time pack it together. Throws
/// what `pack` throws in this thread; where only another thread's failed, this one packs the weight for itself.
Tensor packed_weight(const Tensor& weight, PackedLayout layout, Index variant, const Packer& packer);

/// While an object lives, the packed forms of these weights are cached, so that all shards of a training step, or all
/// steps of a sampler, pay for packing once. Nobody may change the weights meanwhile. Thread-safe.
class PackedWeights {
 public:
  /// If each packed weight is needed at most `uses` times, its memory is freed after the last; 0 keeps all of them.
  explicit PackedWeights(const std::vector<Tensor>& weights, Index uses = 0);
  ~PackedWeights();
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

 private:
  std::vector<Tensor> weights_;
};

}  // namespace reverie::inline REVERIE_PRECISION::kernels
