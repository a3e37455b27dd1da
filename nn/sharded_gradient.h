#pragma once
#include <functional>

#include "nn/parameter.h"

namespace reverie::inline REVERIE_PRECISION {

/// The gradient of a loss over a batch that is cut into shards of fixed size. A shard is a task with a tape of its own.
/// Shards are dealt to lanes; a lane adds its shards' gradients in order, and lanes are added in order, so the bits
/// depend on the shard size and the number of lanes, never on threads.
class ShardedGradient {
 public:
  ShardedGradient(const ParameterStore& parameters, Index shard_size, Index lanes);

  /// Sums d(shard_loss)/d(parameters) over the shards [first, last) of a batch. `shard_loss` gives a single number on
  /// the tape; several threads call it at once.
  void compute(Index batch_size, const std::function<Var(Tape& tape, Index first, Index last)>& shard_loss);
  /// What `compute` found, in the order of the store's parameters.
  const TensorList& value() const { return sum_; }
  /// Its `global_norm` (nn/optimizer.h), which costs nothing while lanes are added.
  double norm() const { return norm_; }

 private:
  const ParameterStore& parameters_;
  Index shard_size_, most_lanes_;
  TensorList sum_;
  double norm_ = 0;
};

}  // namespace reverie::inline REVERIE_PRECISION
