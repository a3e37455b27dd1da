#include <algorithm>
#include <vector>

#include "autograd/op_case.h"
#include "autograd/pointwise.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {

// y_n = table_index(n).   dtable_k = sum of dy_n over all n with index(n) = k.   Saves the indices.
Var embedding(const Var& table, std::span<const Index> indices, const Shape& index_shape) {
  if (table.rank() != 2) throw ShapeError("embedding: expects a table [K,C], got ", table.shape());
  const Index count = std::ssize(indices), rows = table.extent(0), channels = table.extent(1);
  if (index_shape.size() != count)
    throw ShapeError("embedding: ", count, " indices do not fill the shape ", index_shape);
  for (const Index index : indices) {
    if (index < 0 || index >= rows) {
      throw Error("embedding: expects indices from 0 to ", rows - 1, ", got ", index);
    }
  }
  std::vector<Index> extents(index_shape.begin(), index_shape.end());
  extents.push_back(channels);
  Tensor y = Tensor::uninitialized(Shape(extents));
  for (Index n = 0; n < count; ++n) {
    std::copy_n(table.value().data() + indices[n] * channels, channels, y.data() + n * channels);
  }
  return record(
      "embedding", std::move(y), {table}, [indices = std::vector(indices.begin(), indices.end())](Gradients& g) {
        Tensor* dtable = g.gradient(0);
        if (dtable == nullptr) return;
        const Index channels = dtable->extent(1);
        // Each task takes some channels of all rows. If tasks took rows, equal indices would make the order of a sum
        // vary.
        const Index grain = std::max<Index>(16, kernels::elementwise_grain / std::max<Index>(1, std::ssize(indices)));
        parallel_for(channels, grain, [&](Index begin, Index end) {
          const real* dy = g.output().data();
          for (std::size_t n = 0; n < indices.size(); ++n, dy += channels) {
            real* to = dtable->data() + indices[n] * channels;
#pragma omp simd
            for (Index c = begin; c < end; ++c) to[c] += dy[c];
          }
        });
      });
}

Var embedding(const Var& table, std::span<const Index> indices) {
  return embedding(table, indices, {std::ssize(indices)});
}

// y = x mask / (1 - p).   dx = dy mask / (1 - p).   Saves the mask.
Var dropout_mask(const Var& x, const Tensor& mask, double p) {
  if (!(p >= 0 && p < 1)) throw Error("dropout: expects a probability 0 <= p < 1, got ", p);
  require_shape("dropout", "the mask", mask.shape(), x.shape());
  const auto masked = [scale = real(1 / (1 - p))](real x, real mask) { return x * (mask * scale); };
  Tensor y = Tensor::uninitialized(x.shape());
  kernels::map(y, masked, x.value(), mask);
  return record("dropout_mask", std::move(y), {x},
                [mask, masked](Gradients& g) { pointwise_gradient(g, 0, masked, g.output(), mask); });
}

// Row i is drawn with sample key.sample + i, so that the mask does not depend on which samples share a shard.
Var dropout(const Var& x, double p, const RandomKey& key) {
  if (p == 0) return x;
  if (x.rank() < 1) throw ShapeError("dropout: a scalar has no axis of samples");
  Tensor mask = Tensor::uninitialized(x.shape());
  parallel_tasks(x.extent(0), [&](Index i) {
    Tensor row = mask.rows(i, i + 1);
    fill_uniform(key.with_sample(key.sample + i), -p, 1 - p, row.values());  // the sign is the same in float and double
    for (real& value : row.values()) value = real(value >= 0);
  });
  return dropout_mask(x, mask, p);
}

OpCases lookup_cases() {
  const auto look_up = [](const char* label, const Shape& table, std::vector<Index> indices, const Shape& shape) {
    return OpCase{
        "embedding", label, {{table}}, [=](std::span<const Var> in) { return embedding(in[0], indices, shape); }};
  };
  return {look_up("one axis", {5, 4}, {2, 0, 4, 2, 2, 1}, {6}),
          look_up("two axes", {7, 3}, {6, 6, 0, 3, 1, 6}, {2, 3}),
          {"dropout_mask",
           "",
           {{{3, 5}}},
           [](std::span<const Var> in) {
             return dropout_mask(in[0], Tensor::from({3, 5}, {1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 0, 0, 1}), 0.4);
           }},
          {"dropout_mask", "drawn", {{{3, 5}}}, [](std::span<const Var> in) {
             return dropout(in[0], 0.3, {.seed = 1, .stream = Stream::dropout});
           }}};
}

}  // namespace reverie::inline REVERIE_PRECISION
