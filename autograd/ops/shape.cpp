#include <algorithm>
#include <array>
#include <vector>

#include "autograd/op_case.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/parallel.h"

// Operations that only move data: backward moves the gradient the other way. None saves a tensor.
namespace reverie::inline REVERIE_PRECISION {
namespace {

Var reshaped(const Var& x, Tensor y) {
  const Shape shape = y.shape();
  const Var result = record("reshape", std::move(y), {x}, [shape = x.shape()](Gradients& g) {
    Tensor dx = g.take_output().reshape(shape);
    g.add(0, std::move(dx));
  });
  const SavedTensor input(x);
  return input.is_recomputed() ? recomputable(result, [=] { return input.value().reshape(shape); }) : result;
}

// Axis i of y is axis axes[i] of x.
Tensor permuted(const Tensor& x, std::span<const int> axes) {
  const int rank = x.rank();
  std::array<Index, Shape::max_rank> extents{}, strides{};  // of y's axes: their extents, and their strides in x
  for (int i = 0; i < rank; ++i) {
    const int axis = axes[i];
    extents[i] = x.extent(axis);
    strides[i] = x.shape().product(axis + 1, rank);
  }
  Tensor y = Tensor::uninitialized(Shape(std::span(extents).first(rank)));
  if (rank == 0 || y.size() == 0) {
    y.copy_from(x);
    return y;
  }
  const int last = rank - 1;
  const Index length = extents[last], stride = strides[last];
  parallel_for(y.size() / length, std::max<Index>(1, kernels::elementwise_grain / length), [&](Index begin, Index end) {
    for (Index line = begin; line < end; ++line) {
      Index rest = line, offset = 0;
      for (int axis = last; axis-- > 0;) {
        offset += rest % extents[axis] * strides[axis];
        rest /= extents[axis];
      }
      const real* from = x.data() + offset;
      real* to = y.data() + line * length;
      if (stride == 1) {
        std::copy_n(from, length, to);
      } else {
        for (Index i = 0; i < length; ++i) to[i] = from[i * stride];
      }
    }
  });
  return y;
}

// Calls body(run of `wide`, run of `narrow`, length) for all contiguous runs of `narrow`, which is part of `wide` from
// index `first` of `axis` on.
template <class Wide, class Narrow, class Body>
void for_runs(Wide& wide, Narrow& narrow, int axis, Index first, Body body) {
  const Index inner = wide.shape().product(axis + 1, wide.rank()), run = narrow.extent(axis) * inner;
  const Index wide_run = wide.extent(axis) * inner, offset = first * inner;
  parallel_for(wide.shape().product(0, axis), std::max<Index>(1, kernels::elementwise_grain / std::max<Index>(1, run)),
               [&](Index begin, Index end) {
                 for (Index i = begin; i < end; ++i) {
                   body(wide.data() + i * wide_run + offset, narrow.data() + i * run, run);
                 }
               });
}

void copy_run(const real* from, Index n, real* to) { std::copy_n(from, n, to); }

// to[i] += from[i]
void add_run(const real* from, Index n, real* to) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) to[i] += from[i];
}

}  // namespace

Var reshape(const Var& x, std::initializer_list<Index> extents) { return reshaped(x, x.value().reshape(extents)); }
Var reshape(const Var& x, const Shape& shape) { return reshaped(x, x.value().reshape(shape)); }

Var permute(const Var& x, std::initializer_list<int> axes) {
  std::vector<int> forward, inverse(axes.size(), -1);
  for (const int axis : axes) {
    const bool in_rank = std::ssize(axes) == x.rank() && axis >= -x.rank() && axis < x.rank();
    const int known = in_rank ? x.shape().axis(axis) : 0;
    if (!in_rank || inverse[known] >= 0) break;
    inverse[known] = std::ssize(forward);
    forward.push_back(known);
  }
  if (std::ssize(forward) != x.rank() || axes.size() != forward.size()) {
    throw ShapeError("permute: expects each of the ", x.rank(), " axes of ", x.shape(), " once");
  }
  return record("permute", permuted(x.value(), forward), {x},
                [inverse](Gradients& g) { g.add(0, permuted(g.output(), inverse)); });
}

Var concat(std::span<const Var> parts, int axis) {
  if (parts.empty()) throw ShapeError("concat: expects at least one tensor");
  const Shape& shape = parts[0].shape();
  axis = shape.axis(axis);
  std::vector<Index> starts{0};  // the start of each part, and the end of the last
  for (const Var& part : parts) {
    if (part.rank() != shape.rank() || part.shape().with(axis, 0) != shape.with(axis, 0)) {
      throw ShapeError("concat: ", part.shape(), " does not fit ", shape, " along axis ", axis);
    }
    starts.push_back(starts.back() + part.extent(axis));
  }
  Tensor y = Tensor::uninitialized(shape.with(axis, starts.back()));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for_runs(y, parts[i].value(), axis, starts[i],
             [](real* wide, const real* part, Index n) { copy_run(part, n, wide); });
  }
  return record("concat", std::move(y), parts, [starts, axis](Gradients& g) {
    for (int i = 0; i + 1 < std::ssize(starts); ++i) {
      g.compute(i, [&](Tensor& dx, bool accumulate) {
        for_runs(g.output(), dx, axis, starts[i], [accumulate](const real* wide, real* part, Index n) {
          accumulate ? add_run(wide, n, part) : copy_run(wide, n, part);
        });
      });
    }
  });
}

Var concat(std::initializer_list<Var> parts, int axis) { return concat(std::span(parts.begin(), parts.size()), axis); }

Var slice(const Var& x, int axis, Index first, Index last) {
  axis = x.shape().axis(axis);
  if (first < 0 || last < first || last > x.extent(axis)) {
    throw ShapeError("slice: ", x.shape(), " has no range [", first, ", ", last, ") along axis ", axis);
  }
  Tensor y = Tensor::uninitialized(x.shape().with(axis, last - first));
  for_runs(x.value(), y, axis, first, [](const real* wide, real* part, Index n) { copy_run(wide, n, part); });
  return record("slice", std::move(y), {x}, [axis, first](Gradients& g) {
    if (Tensor* dx = g.gradient(0)) {
      for_runs(*dx, g.output(), axis, first, [](real* wide, const real* part, Index n) { add_run(part, n, wide); });
    }
  });
}

OpCases shape_cases() {
  const auto joined = [](const char* label, std::vector<CaseInput> inputs, int axis) {
    return OpCase{"concat", label, std::move(inputs), [axis](std::span<const Var> in) { return concat(in, axis); }};
  };
  const auto part = [](const char* label, const Shape& x, int axis, Index first, Index last) {
    return OpCase{"slice", label, {{x}}, [=](std::span<const Var> in) { return slice(in[0], axis, first, last); }};
  };
  return {{"reshape",
           "",
           {{{2, 3, 4}}},
           [](std::span<const Var> in) {
             return reshape(in[0], {4, -1});
           }},
          {"reshape",
           "of a value that is used twice",
           {{{2, 3}}},
           [](std::span<const Var> in) {
             return concat({reshape(in[0], {3, 2}), reshape(in[0], {3, 2})}, 0);
           }},
          {"permute",
           "images to channels first",
           {{{2, 3, 4, 5}}},
           [](std::span<const Var> in) {
             return permute(in[0], {0, 3, 1, 2});
           }},
          {"permute",
           "last axis in place",
           {{{2, 3, 4, 2}}},
           [](std::span<const Var> in) {
             return permute(in[0], {1, 0, -2, 3});
           }},
          joined("channels", {{{2, 3, 3}}, {{2, 3, 5}}}, -1),
          joined("rows", {{{2, 3}}, {{4, 3}}}, 0),
          joined("three in the middle", {{{2, 1, 3}}, {{2, 4, 3}}, {{2, 2, 3}}}, 1),
          {"concat",
           "one part twice",
           {{{2, 3}}},
           [](std::span<const Var> in) {
             return concat({in[0], in[0]}, 1);
           }},
          part("channels", {2, 3, 7}, -1, 2, 5),
          part("rows", {5, 3}, 0, 1, 4),
          part("middle axis", {2, 6, 3}, 1, 3, 6)};
}

}  // namespace reverie::inline REVERIE_PRECISION
