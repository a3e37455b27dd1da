#include "tensor/tensor.h"

#include <algorithm>
#include <new>

#include "tensor/storage.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

template <class T>
Tensor converted(const Shape& shape, std::span<const T> values) {
  if (static_cast<Index>(values.size()) != shape.size()) {
    throw ShapeError("tensor: shape ", shape, " needs ", shape.size(), " values, got ", values.size());
  }
  Tensor tensor = Tensor::uninitialized(shape);
  std::transform(values.begin(), values.end(), tensor.data(), [](T value) { return static_cast<real>(value); });
  return tensor;
}

}  // namespace

Tensor Tensor::uninitialized(const Shape& shape) {
  try {
    return Tensor(allocate(shape.size()), shape);
  } catch (const std::bad_alloc&) {
    throw OutOfMemory::of(concat("a tensor of shape ", shape), static_cast<double>(shape.size()) * sizeof(real));
  }
}

Tensor Tensor::zeros(const Shape& shape) { return full(shape, 0); }

Tensor Tensor::full(const Shape& shape, real value) {
  Tensor tensor = uninitialized(shape);
  tensor.fill(value);
  return tensor;
}

Tensor Tensor::from(const Shape& shape, std::span<const double> values) { return converted(shape, values); }
Tensor Tensor::from(const Shape& shape, std::span<const float> values) { return converted(shape, values); }

real Tensor::item() const {
  if (size_ != 1 || !defined()) throw ShapeError("item: a tensor of shape ", shape_, " has not exactly one element");
  return data_[0];
}

Tensor Tensor::reshape(std::initializer_list<Index> extents) const {
  std::vector<Index> known(extents);
  const auto free = std::find(known.begin(), known.end(), -1);
  if (free != known.end()) {
    *free = 1;
    const Index rest = Shape(known).size();
    *free = rest == 0 ? 0 : size_ / rest;
  }
  return reshape(Shape(known));
}

Tensor Tensor::reshape(const Shape& shape) const {
  if (shape.size() != size_)
    throw ShapeError("reshape: ", shape_, " has ", size_, " elements, ", shape, " has ", shape.size());
  return Tensor(data_, shape);
}

Tensor Tensor::rows(Index first, Index last) const {
  if (rank() == 0 || first < 0 || last < first || last > extent(0)) {
    throw ShapeError("rows: ", shape_, " has no rows ", first, " to ", last);
  }
  const Index row = shape_.product(1, rank());
  return Tensor(std::shared_ptr<real[]>(data_, data_.get() + first * row), shape_.with(0, last - first));
}

Tensor Tensor::clone() const {
  if (!defined()) return {};
  Tensor copy = uninitialized(shape_);
  std::copy_n(data(), size_, copy.data());
  return copy;
}

void Tensor::fill(real value) { std::fill_n(data(), size_, value); }

void Tensor::copy_from(const Tensor& other) {
  require_shape("copy", "the source", other.shape(), shape_);
  std::copy_n(other.data(), size_, data());
}

void require_shape(const char* op, const char* what, const Shape& got, const Shape& expected) {
  if (got != expected) throw ShapeError(op, ": expects ", what, " ", expected, ", got ", got);
}

}  // namespace reverie::inline REVERIE_PRECISION
