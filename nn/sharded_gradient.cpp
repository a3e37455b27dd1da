#include "nn/sharded_gradient.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "nn/chunks.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {

ShardedGradient::ShardedGradient(const ParameterStore& parameters, Index shard_size, Index accumulators)
    : parameters_(parameters), shard_size_(shard_size), max_accumulators_(accumulators) {}

void ShardedGradient::compute(Index batch_size,
                              const std::function<Var(Tape& tape, Index first, Index last)>& shard_loss) {
  const Index shards = (batch_size + shard_size_ - 1) / shard_size_, count = std::min(max_accumulators_, shards);
  const TensorList weights = parameters_.values();
  std::vector<TensorList> accumulators(count, TensorList(weights.size()));
  sum_.clear();
  const auto packed = parameters_.keep_packed(shards);
  parallel_tasks(count, [&](Index a) {
    for (Index shard = a; shard < shards; shard += count) {
      Tape tape;
      const Index first = shard * shard_size_, last = std::min(first + shard_size_, batch_size);
      tape.backward(shard_loss(tape, first, last), accumulators[a]);
    }
  });
  sum_.resize(weights.size());
  for (Index i = 0; i < std::ssize(sum_); ++i) {  // start from the first accumulator with a gradient for parameter i
    for (TensorList& accumulator : accumulators) {
      if (!sum_[i].defined()) sum_[i] = std::exchange(accumulator[i], {});
    }
    if (!sum_[i].defined()) sum_[i] = Tensor::zeros(weights[i].shape());
  }
  std::vector<double> squares(chunks_of(sum_).size());
  for_each_chunk(sum_, [&](const Chunk& chunk) {
    real* sum = sum_[chunk.tensor].data();
    for (const TensorList& accumulator : accumulators) {
      if (!accumulator[chunk.tensor].defined()) continue;
      const real* g = accumulator[chunk.tensor].data();
#pragma omp simd
      for (Index i = chunk.begin; i < chunk.end; ++i) sum[i] += g[i];
    }
    squares[chunk.number] = square_sum(sum, chunk);
  });
  norm_ = std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

}  // namespace reverie::inline REVERIE_PRECISION
