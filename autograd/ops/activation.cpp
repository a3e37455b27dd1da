#include <cmath>

#include "autograd/op_case.h"
#include "autograd/pointwise.h"
#include "tensor/kernels/functions.h"
#include "tensor/kernels/simd/silu.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// y = f(x) with a slope that is simplest as a function of x: saves x.
template <class F, class Slope>
Var by_input(const char* op, const Var& x, F f, Slope slope) {
  Tensor y = Tensor::uninitialized(x.shape());
  kernels::map(y, f, x.value());
  return record(op, std::move(y), {x}, [x = x.value(), slope](Gradients& g) {
    pointwise_gradient(
        g, 0, [slope](real x, real dy) { return dy * slope(x); }, x, g.output());
  });
}

// y = f(x) with a slope that is simplest as a function of y: saves y.
template <class F, class Slope>
Var by_output(const char* op, const Var& x, F f, Slope slope) {
  Tensor y = Tensor::uninitialized(x.shape());
  kernels::map(y, f, x.value());
  return record(op, y, {x}, [y, slope](Gradients& g) {
    pointwise_gradient(
        g, 0, [slope](real y, real dy) { return dy * slope(y); }, y, g.output());
  });
}

constexpr real sqrt_2_over_pi = real(0.7978845608028653558798921198687637);
constexpr real gelu_cubic = real(0.044715);

}  // namespace

Var exp(const Var& x) {
  return by_output(
      "exp", x, [](real x) { return kernels::fast_exp(x); }, [](real y) { return y; });
}

Var log(const Var& x) {
  return by_input(
      "log", x, [](real x) { return std::log(x); }, [](real x) { return 1 / x; });
}

Var sqrt(const Var& x) {
  return by_output(
      "sqrt", x, [](real x) { return std::sqrt(x); }, [](real y) { return real(0.5) / y; });
}

Var square(const Var& x) {
  return by_input(
      "square", x, [](real x) { return x * x; }, [](real x) { return 2 * x; });
}

Var tanh(const Var& x) {
  return by_output(
      "tanh", x, [](real x) { return kernels::fast_tanh(x); }, [](real y) { return 1 - y * y; });
}

// s(x) = 1 / (1 + e^-x).   s' = s (1 - s)
Var sigmoid(const Var& x) {
  return by_output(
      "sigmoid", x, [](real x) { return kernels::sigmoid(x); }, [](real y) { return y * (1 - y); });
}

// silu(x) = x s(x).   silu' = s (1 + x (1 - s))
// [Elfwing17]
Var silu(const Var& x) {
  Tensor y = Tensor::uninitialized(x.shape());
  kernels::silu_forward(x.value(), y);
  return record("silu", std::move(y), {x}, [x = x.value()](Gradients& g) {
    g.compute(0, [&](Tensor& dx, bool accumulate) { kernels::silu_backward(x, g.output(), accumulate, dx); });
  });
}

// gelu(x) = x Phi(x).   gelu' = Phi + x phi
// [Hendrycks16]
Var gelu(const Var& x) {
  return by_input(
      "gelu", x, [](real x) { return x * kernels::normal_cdf(x); },
      [](real x) { return kernels::normal_cdf(x) + x * kernels::normal_pdf(x); });
}

// x (1 + tanh u) / 2,  u = sqrt(2/pi) (x + 0.044715 x^3).   u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
// [Hendrycks16]
Var gelu_tanh(const Var& x) {
  return by_input(
      "gelu_tanh", x,
      [](real x) { return x * (1 + kernels::fast_tanh(sqrt_2_over_pi * (x + gelu_cubic * x * x * x))) / 2; },
      [](real x) {
        const real t = kernels::fast_tanh(sqrt_2_over_pi * (x + gelu_cubic * x * x * x));
        return (1 + t) / 2 + x / 2 * (1 - t * t) * sqrt_2_over_pi * (1 + 3 * gelu_cubic * x * x);
      });
}

// Written so that a NaN stays a NaN instead of becoming 0.
Var relu(const Var& x) {
  return by_input(
      "relu", x, [](real x) { return x < 0 ? real(0) : x; }, [](real x) { return real(x > 0); });
}

// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|).   softplus' = s(x)
Var softplus(const Var& x) {
  return by_input(
      "softplus", x, [](real x) { return (x < 0 ? real(0) : x) + std::log1p(kernels::fast_exp(-std::abs(x))); },
      [](real x) { return kernels::sigmoid(x); });
}

Var normal_cdf(const Var& x) {
  return by_input(
      "normal_cdf", x, [](real x) { return kernels::normal_cdf(x); }, [](real x) { return kernels::normal_pdf(x); });
}

Var clamp(const Var& x, double low, double high) {
  const real a = low, b = high;
  return by_input(
      "clamp", x, [a, b](real x) { return x < a   ? a
                                          : x > b ? b
                                                  : x; },
      [a, b](real x) { return real(x >= a && x <= b); });
}

OpCases activation_cases() {
  const CaseInput centred{{3, 5}}, positive{{3, 5}, 0.3, 4}, off_zero{{3, 5}, 0.1, 3};
  const auto unary = [](const char* op, const CaseInput& input, Var (*f)(const Var&)) {
    return OpCase{op, "", {input}, [f](std::span<const Var> in) { return f(in[0]); }};
  };
  return {unary("exp", centred, exp),
          unary("log", positive, log),
          unary("sqrt", positive, sqrt),
          unary("square", centred, square),
          unary("tanh", centred, tanh),
          unary("sigmoid", centred, sigmoid),
          unary("silu", centred, silu),
          unary("gelu", centred, gelu),
          unary("gelu_tanh", centred, gelu_tanh),
          unary("relu", off_zero, relu),
          {"relu", "negative", {{{3, 5}, -3, -0.1}}, [](std::span<const Var> in) { return relu(in[0]); }},
          unary("softplus", centred, softplus),
          unary("normal_cdf", centred, normal_cdf),
          {"clamp", "", {centred}, [](std::span<const Var> in) { return clamp(in[0], -0.7, 1.1); }}};
}

}  // namespace reverie::inline REVERIE_PRECISION
