#pragma once
#include <memory>
#include <span>
#include <vector>

#include "tensor/error.h"
#include "tensor/shape.h"

namespace reverie::inline REVERIE_PRECISION {

/// A dense, contiguous, row-major array of `real`. A Tensor is a handle: copies, reshapes and ranges of rows share the
/// data, and `clone` copies it. There are no strides.
class Tensor {
 public:
  Tensor() = default;                               ///< undefined: no data, for "none"
  static Tensor uninitialized(const Shape& shape);  ///< Throws OutOfMemory, as all functions that make a tensor do.
  static Tensor zeros(const Shape& shape);
  static Tensor full(const Shape& shape, real value);
  static Tensor scalar(real value) { return full({}, value); }
  /// Converts values in row-major order to `real`. Throws ShapeError unless their number is the shape's size.
  static Tensor from(const Shape& shape, std::span<const double> values);
  static Tensor from(const Shape& shape, std::span<const float> values);
  static Tensor from(const Shape& shape, std::initializer_list<double> values) {
    return from(shape, std::span(values.begin(), values.size()));
  }

  bool defined() const { return data_ != nullptr; }
  const Shape& shape() const& { return shape_; }
  Shape shape() && { return shape_; }
  int rank() const { return shape_.rank(); }
  Index size() const { return size_; }
  Index extent(int axis) const { return shape_[axis]; }

  real* data() { return data_.get(); }
  const real* data() const { return data_.get(); }
  std::span<real> values() & { return {data(), static_cast<std::size_t>(size_)}; }
  std::span<const real> values() const& { return {data(), static_cast<std::size_t>(size_)}; }
  std::span<const real> values() const&& = delete;  ///< a loop `for (x : f().values())` would read freed memory
  real& operator[](Index i) { return data()[i]; }
  real operator[](Index i) const { return data()[i]; }
  /// The value of a tensor with one element. Throws ShapeError for other tensors.
  real item() const;

  /// The same data in another shape of the same size; one extent may be -1 and is then inferred.
  Tensor reshape(std::initializer_list<Index> extents) const;
  Tensor reshape(const Shape& shape) const;
  /// Rows [first, last) along axis 0, sharing the data.
  Tensor rows(Index first, Index last) const;
  /// The same values in new data.
  Tensor clone() const;
  void fill(real value);
  void copy_from(const Tensor& other);  ///< Throws ShapeError unless the shapes are equal.
  /// Whether no other handle shares the data, so that the owner may overwrite it.
  bool unique() const { return data_.use_count() == 1; }

 private:
  Tensor(std::shared_ptr<real[]> data, const Shape& shape)
      : data_(std::move(data)), shape_(shape), size_(shape.size()) {}

  std::shared_ptr<real[]> data_;
  Shape shape_;
  Index size_ = 0;
};

/// Throws ShapeError "OP: expects WHAT SHAPE, got SHAPE" unless the shapes are equal.
void require_shape(const char* op, const char* what, const Shape& got, const Shape& expected);

}  // namespace reverie::inline REVERIE_PRECISION
