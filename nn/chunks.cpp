#include "nn/chunks.h"

#include <algorithm>

#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {

std::vector<Chunk> chunks_of(const TensorList& tensors) {
  constexpr Index longest = 4096;
  std::vector<Chunk> chunks;
  for (Index i = 0; i < std::ssize(tensors); ++i) {
    for (Index begin = 0; begin < tensors[i].size(); begin += longest) {
      chunks.push_back({std::ssize(chunks), i, begin, std::min(begin + longest, tensors[i].size())});
    }
  }
  return chunks;
}

double square_sum(const real* values, const Chunk& chunk) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index i = chunk.begin; i < chunk.end; ++i) sum += double{values[i]} * double{values[i]};
  return sum;
}

void for_each_chunk(const TensorList& tensors, const std::function<void(const Chunk&)>& body) {
  const std::vector<Chunk> chunks = chunks_of(tensors);
  parallel_for(std::ssize(chunks), 4, [&](Index first, Index last) {
    for (Index i = first; i < last; ++i) body(chunks[i]);
  });
}

}  // namespace reverie::inline REVERIE_PRECISION
