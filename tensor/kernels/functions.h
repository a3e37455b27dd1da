#pragma once
#include <bit>
#include <cmath>
#include <numbers>

#include "tensor/real.h"

/// Scalar functions and their derivatives, written without branches so that a loop over them becomes vector code.
namespace reverie::inline REVERIE_PRECISION::kernels {

/// e^r 2^n = e^x: |r| <= ln(2)/2, and n in the lowest bits of `shifted`.
struct ReducedExp {
  float shifted, power;
};
/// By e^r's Taylor polynomial of degree 7 (error 5e-9), for |x| < 2^22.
inline ReducedExp reduced_exp(float x) {
  constexpr float shift = 0x1.8p23f;  // adding it rounds to an integer, which then stands in the lowest bits
  const float shifted = x * std::numbers::log2e_v<float> + shift, n = shifted - shift;
  const float r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;  // ln 2 in two parts, the first of few bits
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return {shifted, p};
}

inline float clamped(float x, float low, float high) {  // lets a NaN through
  x = x > high ? high : x;
  return x < low ? low : x;
}

/// e^x. In float within 2 ulp: 2^n comes in two factors, so that results run into infinity and into zero where they
/// should; NaN stays NaN.
inline float fast_exp(float x) {
  const auto [shifted, p] = reduced_exp(clamped(x, -104, 89));
  const int n = std::bit_cast<int>(shifted) - std::bit_cast<int>(0x1.8p23f), half = n >> 1;
  return p * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((n - half + 127) << 23);
}
/// e^x with x clamped to [-87, 87], where 2^n is merely added to the exponent: half the work.
inline float bounded_exp(float x) {
  const auto [shifted, p] = reduced_exp(clamped(x, -87, 87));
  return std::bit_cast<float>(std::bit_cast<unsigned>(p) + (std::bit_cast<unsigned>(shifted) << 23));
}
inline double bounded_exp(double x) { return std::exp(x); }
inline double fast_exp(double x) { return std::exp(x); }

/// tanh x. In float: Lambert's continued fraction near zero (error 7e-10), 1 - 2 / (e^2x + 1) elsewhere.
inline float fast_tanh(float x) {
  const float s = x * x;
  const float near = x * (945 + s * (105 + s)) / (945 + s * (420 + 15 * s));
  const float far = 1 - 2 / (fast_exp(2 * x) + 1);
  return s < 0.36f ? near : far;
}
inline double fast_tanh(double x) { return std::tanh(x); }

inline real sigmoid(real x) { return 1 / (1 + bounded_exp(-x)); }
/// x sigmoid(x), and its slope s + x s (1 - s).                                                          [Elfwing17]
inline real silu(real x) { return x * sigmoid(x); }
inline real silu_slope(real x) {
  const real s = sigmoid(x);
  return s * (1 + x * (1 - s));
}
/// Phi(x), the distribution function of N(0, 1), and its density.
inline real normal_cdf(real x) { return real(0.5) * std::erfc(-x / std::numbers::sqrt2_v<real>); }
inline real normal_pdf(real x) {
  return fast_exp(-x * x / 2) * (std::numbers::inv_sqrtpi_v<real> / std::numbers::sqrt2_v<real>);
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
