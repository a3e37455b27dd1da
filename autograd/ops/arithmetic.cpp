#include "autograd/op_case.h"
#include "autograd/pointwise.h"
#include "tensor/kernels/broadcast.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

using kernels::Binary;

Tensor apply(const char* name, Binary op, const Tensor& a, const Tensor& b) {
  Tensor y = Tensor::uninitialized(broadcast(name, a.shape(), b.shape()));
  kernels::broadcast_binary(op, a, b, y);
  return y;
}

// dL/dx of an operand that was broadcast: the gradient in y's shape, summed over the broadcast axes.
void add_reduced(Gradients& g, int input, const Shape& shape, Tensor wide) {
  if (wide.shape() == shape) return g.add(input, std::move(wide));
  if (Tensor* dx = g.gradient(input)) kernels::reduce_add(wide, *dx);
}

Tensor scaled(const Tensor& x, real factor) {
  Tensor y = Tensor::uninitialized(x.shape());
  kernels::map(
      y, [factor](real x) { return factor * x; }, x);
  return y;
}

}  // namespace

static Var sum(Tensor y, const Var& a, const Var& b) {
  return record("add", std::move(y), {a, b}, [sa = a.shape(), sb = b.shape()](Gradients& g) {
    add_reduced(g, 0, sa, g.output());
    add_reduced(g, 1, sb, g.take_output());
  });
}

Var operator+(const Var& a, const Var& b) { return sum(apply("add", Binary::add, a.value(), b.value()), a, b); }

Var operator+(const Var& a, Var&& b) {
  if (a.shape() != b.shape() || !b.value().unique()) return a + static_cast<const Var&>(b);
  Tensor y = b.take_value();
  kernels::accumulate(
      y, [](real x) { return x; }, a.value());
  return sum(std::move(y), a, b);
}

Var operator-(const Var& a, const Var& b) {
  return record("sub", apply("sub", Binary::sub, a.value(), b.value()), {a, b},
                [sa = a.shape(), sb = b.shape()](Gradients& g) {
                  if (g.needs(1)) add_reduced(g, 1, sb, scaled(g.output(), -1));
                  add_reduced(g, 0, sa, g.take_output());
                });
}

// d(a b) = b da + a db
Var operator*(const Var& a, const Var& b) {
  return record("mul", apply("mul", Binary::mul, a.value(), b.value()), {a, b},
                [a = a.value(), b = b.value()](Gradients& g) {
                  if (g.needs(0)) add_reduced(g, 0, a.shape(), apply("mul", Binary::mul, g.output(), b));
                  if (g.needs(1)) add_reduced(g, 1, b.shape(), apply("mul", Binary::mul, g.output(), a));
                });
}

// d(a / b) = da / b - y db / b,  y = a / b
Var operator/(const Var& a, const Var& b) {
  Tensor y = apply("div", Binary::div, a.value(), b.value());
  return record("div", y, {a, b}, [sa = a.shape(), b = b.value(), y](Gradients& g) {
    const Tensor da = apply("div", Binary::div, g.output(), b);
    if (g.needs(1)) add_reduced(g, 1, b.shape(), scaled(apply("mul", Binary::mul, da, y), -1));
    if (g.needs(0)) add_reduced(g, 0, sa, da);
  });
}

// y = scale x + shift: the operation behind all arithmetic of a Var and a number.
static Var affine(const Var& x, double scale, double shift) {
  const real s = scale, t = shift;
  Tensor y = Tensor::uninitialized(x.shape());
  kernels::map(
      y, [s, t](real x) { return s * x + t; }, x.value());
  return record("affine", std::move(y), {x}, [s](Gradients& g) {
    pointwise_gradient(
        g, 0, [s](real dy) { return s * dy; }, g.output());
  });
}

Var operator+(const Var& a, double b) { return affine(a, 1, b); }
Var operator-(const Var& a, double b) { return affine(a, 1, -b); }
Var operator*(const Var& a, double b) { return affine(a, b, 0); }
Var operator/(const Var& a, double b) { return affine(a, 1 / b, 0); }
Var operator+(double a, const Var& b) { return affine(b, 1, a); }
Var operator-(double a, const Var& b) { return affine(b, -1, a); }
Var operator*(double a, const Var& b) { return affine(b, a, 0); }
Var operator-(const Var& a) { return affine(a, -1, 0); }

OpCases arithmetic_cases() {
  using In = std::span<const Var>;
  const auto add = [](In in) { return in[0] + in[1]; };
  const auto sub = [](In in) { return in[0] - in[1]; };
  const auto mul = [](In in) { return in[0] * in[1]; };
  const auto div = [](In in) { return in[0] / in[1]; };
  const CaseInput image{{2, 3, 4, 5}}, channel{{5}}, sample{{2, 1, 1, 5}}, column{{3, 1}}, row{{1, 4}},
      positive{{5}, 0.5, 2};
  return {{"add", "", {image, image}, add},
          {"add", "bias", {image, channel}, add},
          {"add", "twice the same", {image}, [](In in) { return in[0] + in[0]; }},
          {"add", "outer", {column, row}, add},
          {"sub", "", {image, image}, sub},
          {"sub", "per sample", {sample, image}, sub},
          {"mul", "", {image, image}, mul},
          {"mul", "per sample", {image, sample}, mul},
          {"mul", "square", {image}, [](In in) { return in[0] * in[0]; }},
          {"mul", "outer", {row, column}, mul},
          {"div", "", {image, {{2, 3, 4, 5}, 0.5, 2}}, div},
          {"div", "per channel", {image, positive}, div},
          {"affine", "", {image}, [](In in) { return 3 - (2 * in[0] + 1) / 4; }}};
}

}  // namespace reverie::inline REVERIE_PRECISION
