#include "nn/sharded_gradient.h"

#include <algorithm>

#include "tensor/kernels/elementwise.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {

ShardedGradient::ShardedGradient(const ParameterStore& parameters, Index shard_size, Index lanes)
    : parameters_(parameters), shard_size_(shard_size), most_lanes_(lanes), lanes_{parameters.zeros_like()} {}

void ShardedGradient::compute(Index batch_size,
                              const std::function<Var(Tape& tape, Index first, Index last)>& shard_loss) {
  const Index shards = (batch_size + shard_size_ - 1) / shard_size_, lanes = std::min(most_lanes_, shards);
  while (std::ssize(lanes_) < lanes) lanes_.push_back(parameters_.zeros_like());
  const auto kept = parameters_.keep_prepared();
  parallel_tiles(lanes, [&](Index lane) {
    TensorList& gradient = lanes_[static_cast<std::size_t>(lane)];
    for (Tensor& g : gradient) g.fill(0);
    for (Index s = lane; s < shards; s += lanes) {
      Tape tape;
      const Index first = s * shard_size_;
      tape.backward(shard_loss(tape, first, std::min(first + shard_size_, batch_size)), gradient);
    }
  });
  for (std::size_t i = 0; i < lanes_.front().size(); ++i) {
    for (std::size_t lane = 1; lane < static_cast<std::size_t>(lanes); ++lane) {
      kernels::accumulate(
          lanes_.front()[i], [](real g) { return g; }, lanes_[lane][i]);
    }
  }
}

}  // namespace reverie::inline REVERIE_PRECISION
