#include "tensor/kernels/resample.h"

#include "autograd/op_case.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void require_image(const char* op, const Var& x) {
  if (x.rank() != 4) throw ShapeError(op, ": expects [N,H,W,C], got ", x.shape());
}

}  // namespace

// y[n,i,j,c] = x[n,i/s,j/s,c].   dx = sum of dy over the s x s copies of x.
Var upsample_nearest(const Var& x, Index scale) {
  require_image("upsample_nearest", x);
  if (scale < 1) throw ShapeError("upsample_nearest: expects a scale of at least 1, got ", scale);
  const kernels::Windows windows{scale, scale};
  const auto compute = [=, saved = SavedTensor(x)] {
    const Tensor from = saved.value();
    Tensor y = Tensor::zeros({from.extent(0), from.extent(1) * scale, from.extent(2) * scale, from.extent(3)});
    kernels::spread_windows(windows, from, 1, y);
    return y;
  };
  return recomputable(record("upsample_nearest", compute(), {x},
                             [windows](Gradients& g) {
                               if (Tensor* dx = g.gradient(0)) kernels::gather_windows(windows, g.output(), 1, *dx);
                             }),
                      compute);
}

// y[n,i,j,c] = mean of x over the k x k window at (s i, s j).   dx = sum of dy / k^2 over the windows that contain x.
Var avg_pool2d(const Var& x, Index kernel, Index stride) {
  require_image("avg_pool2d", x);
  if (kernel < 1 || stride < 1) {
    throw ShapeError("avg_pool2d: expects kernel and stride of at least 1, got ", kernel, " and ", stride);
  }
  const kernels::Windows windows{kernel, stride};
  const Index rows = windows.count(x.extent(1)), columns = windows.count(x.extent(2));
  if (rows == 0 || columns == 0) {
    throw ShapeError("avg_pool2d: input ", x.shape(), " is smaller than a window of ", kernel, " x ", kernel);
  }
  const real weight = real(1) / real(kernel * kernel);
  Tensor y = Tensor::zeros({x.extent(0), rows, columns, x.extent(3)});
  kernels::gather_windows(windows, x.value(), weight, y);
  return record("avg_pool2d", std::move(y), {x}, [windows, weight](Gradients& g) {
    if (Tensor* dx = g.gradient(0)) kernels::spread_windows(windows, g.output(), weight, *dx);
  });
}

OpCases resample_cases() {
  const auto upsample = [](const char* label, const Shape& x, Index scale) {
    return OpCase{
        "upsample_nearest", label, {{x}}, [=](std::span<const Var> in) { return upsample_nearest(in[0], scale); }};
  };
  const auto pool = [](const char* label, const Shape& x, Index kernel, Index stride) {
    return OpCase{
        "avg_pool2d", label, {{x}}, [=](std::span<const Var> in) { return avg_pool2d(in[0], kernel, stride); }};
  };
  return {upsample("by two", {2, 3, 2, 3}, 2),     upsample("by three", {1, 2, 3, 2}, 3),
          pool("halved", {2, 4, 6, 3}, 2, 2),      pool("rest cut off", {2, 5, 7, 3}, 2, 2),
          pool("overlapping", {1, 5, 6, 2}, 3, 1), pool("with gaps", {1, 6, 5, 2}, 2, 3)};
}

}  // namespace reverie::inline REVERIE_PRECISION
