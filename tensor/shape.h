#pragma once
#include <array>
#include <initializer_list>
#include <ostream>
#include <span>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// The extents of a tensor, outermost first; row-major, so the last axis is contiguous. A scalar has rank 0 and size 1.
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<Index> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  /// Throws ShapeError for more than `max_rank` axes, a negative extent, or 2^48 elements and more.
  explicit Shape(std::span<const Index> extents);

  int rank() const { return rank_; }
  Index size() const;
  /// Extent of an axis; negative axes count from the back (-1 is the last). Throws ShapeError if out of range.
  Index operator[](int axis) const { return extents_[checked(axis)]; }
  const Index* begin() const { return extents_.data(); }
  const Index* end() const { return extents_.data() + rank_; }

  /// This shape with another extent at `axis`.
  Shape with(int axis, Index extent) const;
  /// Normalises `axis` to 0 .. rank-1.
  int axis(int axis) const { return static_cast<int>(checked(axis)); }
  /// The product of the extents of axes [first, last).
  Index product(int first, int last) const;

  friend bool operator==(const Shape& a, const Shape& b);
  friend std::ostream& operator<<(std::ostream& out, const Shape& shape);  // [8,28,28,3]

 private:
  std::size_t checked(int axis) const;
  void require_countable() const;

  std::array<Index, max_rank> extents_{};
  int rank_ = 0;
};

/// The shape that a and b broadcast to (as in NumPy: aligned at the last axis, extents of 1 are stretched).
/// Throws ShapeError, naming `op`, if they don't broadcast.
Shape broadcast(const char* op, const Shape& a, const Shape& b);

}  // namespace reverie::inline REVERIE_PRECISION
