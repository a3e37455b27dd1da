#pragma once
#include <functional>

#include "nn/parameter.h"

namespace reverie::inline REVERIE_PRECISION {

/// A part of one tensor of a list: elements [begin, end), at most 4096 of them, which stay in the first-level cache.
struct Piece {
  std::size_t number;  ///< among all pieces
  std::size_t tensor;
  Index begin, end;
};

/// The pieces of all tensors, in order. They depend on the sizes alone.
std::vector<Piece> pieces_of(const TensorList& tensors);
/// The sum of squares over a piece of one of them, whose elements are `values`.
double square_sum(const real* values, const Piece& piece);
/// Calls body(piece) for all of them, several to a task, perhaps at once: many small tensors are no more work than one
/// large one.
void for_each_piece(const TensorList& tensors, const std::function<void(const Piece&)>& body);

}  // namespace reverie::inline REVERIE_PRECISION
