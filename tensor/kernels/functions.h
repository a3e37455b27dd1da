#pragma once
#include <bit>
#include <cmath>
#include <numbers>

#include "tensor/real.h"

/// Scalar functions and their derivatives, written without branches so that a loop over them becomes vector code.
namespace reverie::inline REVERIE_PRECISION::kernels {

/// e^x = fraction 2^exponent with fraction in [0.7, 1.5], for -104 <= x <= 89: x = n ln 2 + r with |r| <= ln(2)/2, and e^r
/// by its Taylor polynomial of degree 7 (error 5e-9).
struct SplitExp {
  float fraction;
  int exponent;
};
inline SplitExp split_exp(float x) {
  constexpr float shift = 0x1.8p23f;  // adding it rounds to an integer, which then stands in the lowest bits
  const float shifted = x * std::numbers::log2e_v<float> + shift;
  const int n = std::bit_cast<int>(shifted) - std::bit_cast<int>(shift);
  const float rounded = shifted - shift;
  const float r = (x - rounded * 0x1.62e4p-1f) - rounded * 0x1.7f7d1cp-20f;  // ln 2 in two parts, the first of few bits
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return {p, n};
}

inline float clamped(float x, float low, float high) {  // lets a NaN through
  x = x > high ? high : x;
  return x < low ? low : x;
}

/// e^x. In float within 2 ulp: 2^n comes in two factors, so that results run into infinity and into zero where they
/// should; NaN stays NaN.
inline float fast_exp(float x) {
  const auto [p, n] = split_exp(clamped(x, -104, 89));
  const int half = n >> 1;
  return p * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((n - half + 127) << 23);
}
inline double fast_exp(double x) { return std::exp(x); }

/// tanh x. In float: Lambert's continued fraction near zero (error 7e-10), 1 - 2 / (e^2x + 1) elsewhere.
inline float fast_tanh(float x) {
  const float s = x * x;
  const float near = x * (945 + s * (105 + s)) / (945 + s * (420 + 15 * s));
  const float far = 1 - 2 / (fast_exp(2 * x) + 1);
  return s < 0.36f ? near : far;
}
inline double fast_tanh(double x) { return std::tanh(x); }

/// 1 / (1 + e^-x). In float the quotient, for which processors take longer than for the exponential, is Newton's: a guess
/// from the exponent bits (error 12%), squared three times over. Below -80 stays what it is there, 2e-35.
inline float sigmoid(float x) {
  const auto [p, n] = split_exp(clamped(-x, -80, 80));
  const float d = 1 + p * std::bit_cast<float>((n + 127) << 23);
  float y = std::bit_cast<float>(0x7ef311c3 - std::bit_cast<int>(d));
  y = y * (2 - d * y);
  y = y * (2 - d * y);
  return y * (2 - d * y);
}
inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
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
