#pragma once
#include <functional>

#include "nn/parameter.h"

namespace reverie::inline REVERIE_PRECISION {

/// Elements [begin, end) of one tensor of a list: at most 4096 of them, so that they stay in the first-level cache.
struct Chunk {
  Index number;  ///< among the chunks of all tensors
  Index tensor;
  Index begin, end;
};

/// Cuts all tensors into chunks, in order. They depend on the sizes alone.
std::vector<Chunk> chunks_of(const TensorList& tensors);
/// Sums the squares over a chunk of the tensor whose elements are `values`.
double square_sum(const real* values, const Chunk& chunk);
/// Calls body(chunk) for all chunks, several per task and in parallel: many small tensors then cost no more than one
/// large one.
void for_each_chunk(const TensorList& tensors, const std::function<void(const Chunk&)>& body);

}  // namespace reverie::inline REVERIE_PRECISION
