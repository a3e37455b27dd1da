#include "nn/pieces.h"

#include <algorithm>

#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {

std::vector<Piece> pieces_of(const TensorList& tensors) {
  constexpr Index longest = 4096;
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    for (Index begin = 0; begin < tensors[i].size(); begin += longest) {
      pieces.push_back({pieces.size(), i, begin, std::min(begin + longest, tensors[i].size())});
    }
  }
  return pieces;
}

double square_sum(const real* values, const Piece& piece) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index i = piece.begin; i < piece.end; ++i)
    sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

void for_each_piece(const TensorList& tensors, const std::function<void(const Piece&)>& body) {
  const std::vector<Piece> pieces = pieces_of(tensors);
  parallel_for(std::ssize(pieces), 4, [&](Index first, Index last) {
    for (Index i = first; i < last; ++i) body(pieces[i]);
  });
}

}  // namespace reverie::inline REVERIE_PRECISION
