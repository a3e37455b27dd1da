#include "nn/sharded_gradient.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "nn/pieces.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {

ShardedGradient::ShardedGradient(const ParameterStore& parameters, Index shard_size, Index lanes)
    : parameters_(parameters), shard_size_(shard_size), most_lanes_(lanes) {}

void ShardedGradient::compute(Index batch_size,
                              const std::function<Var(Tape& tape, Index first, Index last)>& shard_loss) {
  const Index shards = (batch_size + shard_size_ - 1) / shard_size_, lanes = std::min(most_lanes_, shards);
  const TensorList weights = parameters_.values();
  std::vector<TensorList> gradients(static_cast<std::size_t>(lanes), TensorList(weights.size()));
  sum_.clear();
  const auto kept = parameters_.keep_packed(shards);
  parallel_tasks(lanes, [&](Index lane) {
    for (Index s = lane; s < shards; s += lanes) {
      Tape tape;
      const Index first = s * shard_size_;
      tape.backward(shard_loss(tape, first, std::min(first + shard_size_, batch_size)), gradients[lane]);
    }
  });
  sum_.resize(weights.size());
  for (std::size_t i = 0; i < sum_.size(); ++i) {  // the first lane that has a parameter's gradient, if any
    for (TensorList& lane : gradients) {
      if (!sum_[i].defined()) sum_[i] = std::exchange(lane[i], {});
    }
    if (!sum_[i].defined()) sum_[i] = Tensor::zeros(weights[i].shape());
  }
  std::vector<double> squares(pieces_of(sum_).size());
  for_each_piece(sum_, [&](const Piece& piece) {
    real* sum = sum_[piece.tensor].data();
    for (const TensorList& lane : gradients) {
      if (!lane[piece.tensor].defined()) continue;
      const real* g = lane[piece.tensor].data();
#pragma omp simd
      for (Index i = piece.begin; i < piece.end; ++i) sum[i] += g[i];
    }
    squares[piece.number] = square_sum(sum, piece);
  });
  norm_ = std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

}  // namespace reverie::inline REVERIE_PRECISION
