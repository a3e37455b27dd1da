#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// What kernels make of a weight before they multiply by it: its numbers in another order, or transformed.
enum class WeightForm { direct_forward, direct_data, winograd_forward, winograd_data, thin_forward, thin_data, linear_forward, linear_data };

/// The weight in a `form`, of which there may be some (`variant`: a stride, say). It is made here and now, unless a
/// KeptWeights holds the weight and it has been made before.
Tensor prepared(const Tensor& weight, WeightForm form, Index variant, const std::function<Tensor()>& make);

/// As long as one lives, these weights' prepared forms are kept and used again: all shards of a training step, all
/// steps of a sampler then pay for them once. Nobody may change the weights meanwhile. Safe to use from many threads.
class KeptWeights {
 public:
  explicit KeptWeights(const std::vector<Tensor>& weights);
  ~KeptWeights();
  KeptWeights(const KeptWeights&) = delete;
  KeptWeights& operator=(const KeptWeights&) = delete;

 private:
  std::vector<Tensor> weights_;
};

}  // namespace reverie::inline REVERIE_PRECISION::kernels
