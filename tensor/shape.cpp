#include "tensor/shape.h"

#include <algorithm>

#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {

Shape::Shape(std::span<const Index> extents) : rank_(static_cast<int>(extents.size())) {
  if (rank_ > max_rank) throw ShapeError("a tensor has at most ", max_rank, " axes, not ", rank_);
  for (const Index extent : extents) {
    if (extent < 0) throw ShapeError("a tensor's extent can't be negative: ", extent);
  }
  std::copy(extents.begin(), extents.end(), extents_.begin());
  require_countable();
}

// Ensures that no count of elements overflows, whatever a file or a configuration says.
void Shape::require_countable() const {
  Index room = Index{1} << 48;
  for (const Index extent : *this) {
    room /= std::max<Index>(extent, 1);
    if (room == 0) throw ShapeError("a tensor of shape ", *this, " has more elements than any memory holds");
  }
}

std::size_t Shape::checked(int axis) const {
  const int counted = axis < 0 ? axis + rank_ : axis;
  if (counted < 0 || counted >= rank_) throw ShapeError("shape ", *this, " has no axis ", axis);
  return static_cast<std::size_t>(counted);
}

Index Shape::size() const { return product(0, rank_); }

Index Shape::product(int first, int last) const {
  Index product = 1;
  for (int axis = first; axis < last; ++axis) product *= extents_[axis];
  return product;
}

Shape Shape::with(int axis, Index extent) const {
  Shape shape = *this;
  shape.extents_[checked(axis)] = extent;
  shape.require_countable();
  return shape;
}

bool operator==(const Shape& a, const Shape& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int axis = 0; axis < shape.rank(); ++axis) out << (axis ? "," : "") << shape[axis];
  return out << ']';
}

Shape broadcast(const char* op, const Shape& a, const Shape& b) {
  Shape out = a.rank() >= b.rank() ? a : b;
  const Shape& narrow = a.rank() >= b.rank() ? b : a;
  for (int back = -1; back >= -narrow.rank(); --back) {
    const Index x = out[back], y = narrow[back];
    if (x != y && x != 1 && y != 1) throw ShapeError(op, ": shapes ", a, " and ", b, " do not broadcast");
    out = out.with(back, x == 1 ? y : x);
  }
  return out;
}

}  // namespace reverie::inline REVERIE_PRECISION
