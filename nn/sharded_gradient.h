#pragma once
#include <functional>

#include "nn/parameter.h"

namespace reverie::inline REVERIE_PRECISION {

/// The gradient of a loss over a batch that is cut into shards of fixed size. Each shard is a task with its own tape.
/// Shards are dealt to gradient accumulators. Each accumulator adds up its shards' gradients in order, and at the end
/// the accumulators are added in order. So the bits depend on the shard size and the number of accumulators, never on
/// the number of threads.
class ShardedGradient {
 public:
  ShardedGradient(const ParameterStore& parameters, Index shard_size, Index accumulators);

  /// Sums d(shard_loss)/d(parameters) over the shards [first, last) of a batch. `shard_loss` records a single number on
  /// the tape. It is called from several threads at once.
  void compute(Index batch_size, const std::function<Var(Tape& tape, Index first, Index last)>& shard_loss);
  /// The sum that `compute` found, in the order of the store's parameters.
  const TensorList& value() const { return sum_; }
  /// Its `global_norm` (nn/optimizer.h), computed for free while the accumulators are added.
  double norm() const { return norm_; }

 private:
  const ParameterStore& parameters_;
  Index shard_size_, max_accumulators_;
  TensorList sum_;
  double norm_ = 0;
};

}  // namespace reverie::inline REVERIE_PRECISION
