#include "nn/sharded_gradient.h"

#include <algorithm>

#include "nn/pieces.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {

ShardedGradient::ShardedGradient(const ParameterStore& parameters, Index shard_size, Index lanes)
    : parameters_(parameters), shard_size_(shard_size), most_lanes_(lanes), lanes_{parameters.zeros_like()} {}

void ShardedGradient::compute(Index batch_size,
                              const std::function<Var(Tape& tape, Index first, Index last)>& shard_loss) {
  const Index shards = (batch_size + shard_size_ - 1) / shard_size_, lanes = std::min(most_lanes_, shards);
  while (std::ssize(lanes_) < lanes) lanes_.push_back(parameters_.zeros_like());
  const auto kept = parameters_.keep_prepared(shards);
  parallel_tiles(lanes, [&](Index lane) {
    TensorList& gradient = lanes_[static_cast<std::size_t>(lane)];
    for (Tensor& g : gradient) g.fill(0);
    for (Index s = lane; s < shards; s += lanes) {
      Tape tape;
      const Index first = s * shard_size_;
      tape.backward(shard_loss(tape, first, std::min(first + shard_size_, batch_size)), gradient);
    }
  });
  for_each_piece(lanes_.front(), [&](const Piece& piece) {
    real* sum = lanes_.front()[piece.tensor].data();
    for (Index lane = 1; lane < lanes; ++lane) {
      const real* g = lanes_[static_cast<std::size_t>(lane)][piece.tensor].data();
#pragma omp simd
      for (Index i = piece.begin; i < piece.end; ++i) sum[i] += g[i];
    }
  });
}

}  // namespace reverie::inline REVERIE_PRECISION
