#pragma once
#include <bit>
#include <cmath>
#include <numbers>

#include "tensor/real.h"

/// Scalar functions and their derivatives, without branches, so that the compiler vectorises loops over them.
namespace reverie::inline REVERIE_PRECISION::kernels {

/// e^x = e^r 2^n, where n is x / ln 2 rounded to an integer. Adding `shift` rounds; n is then in its lowest bits. For
/// r = x - n ln 2, |r| <= ln(2)/2, ln 2 is split into a part of few bits and the rest. e^r is the polynomial 1 + r +
/// ... of least relative error (3e-9).
struct ExpConstants {
  static constexpr float log2e = std::numbers::log2e_v<float>, shift = 0x1.8p23f;
  static constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
  static constexpr int terms = 7;
  static constexpr float polynomial[terms] = {
      1.38145405e-3f, 8.36874514e-3f, 4.16683908e-2f, 0.166665204f, 0.499999934f, 1.0f, 1.0f};
};
struct ReducedExp {
  float shifted, power;  ///< power = e^r
};
/// For |x| < 2^22.
inline ReducedExp reduced_exp(float x) {
  using C = ExpConstants;
  const float shifted = x * C::log2e + C::shift, n = shifted - C::shift;
  const float r = (x - n * C::ln2_high) - n * C::ln2_low;
  float p = C::polynomial[0];
  for (int i = 1; i < C::terms; ++i) p = p * r + C::polynomial[i];
  return {shifted, p};
}

/// condition ? yes : no with bit masks. For a branch, GCC would duplicate all the code that follows.
inline float choose(bool condition, float yes, float no) {
  const unsigned mask = -static_cast<unsigned>(condition);
  return std::bit_cast<float>((std::bit_cast<unsigned>(yes) & mask) | (std::bit_cast<unsigned>(no) & ~mask));
}
inline float clamped(float x, float low, float high) {  // lets a NaN through
  x = choose(x > high, high, x);
  return choose(x < low, low, x);
}

/// e^x, in float within 2 ulp. 2^n is split into two factors, so that results overflow to infinity and underflow to
/// zero correctly; NaN stays NaN.
inline float fast_exp(float x) {
  const auto [shifted, p] = reduced_exp(clamped(x, -104, 89));
  const int n = std::bit_cast<int>(shifted) - std::bit_cast<int>(0x1.8p23f), half = n >> 1;
  return p * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((n - half + 127) << 23);
}
/// e^x with x clamped to [-87, 87], so that 2^n can be added to the exponent: half the work.
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

/// sin x and cos x for |x| < 2^20 within 2e-9, enough for a float: subtracts n quarters of a circle (pi/2 is split like
/// ln 2 above), then uses Taylor series; n's lowest bits select sine or cosine, and the sign.
struct SinCos {
  double sin, cos;
};
inline SinCos fast_sin_cos(double x) {
  constexpr double shift = 0x1.8p52, half_pi_high = 0x1.921fb544p0, half_pi_low = 0x1.0b4611a626331p-34;
  const double shifted = x * (2 / std::numbers::pi) + shift, n = shifted - shift;
  const double r = (x - n * half_pi_high) - n * half_pi_low, q = r * r;
  const double s = r * (1 + q * (-1. / 6 + q * (1. / 120 + q * (-1. / 5040 + q * (1. / 362880)))));
  const double c = 1 + q * (-1. / 2 + q * (1. / 24 + q * (-1. / 720 + q * (1. / 40320 + q * (-1. / 3628800)))));
  const auto quarter = std::bit_cast<unsigned long long>(shifted);
  const bool odd = (quarter & 1) != 0;
  const double sin = odd ? c : s, cos = odd ? s : c;
  return {(quarter & 2) != 0 ? -sin : sin, ((quarter + 1) & 2) != 0 ? -cos : cos};
}

inline real sigmoid(real x) { return 1 / (1 + bounded_exp(-x)); }
/// x sigmoid(x), and its derivative s + x s (1 - s) with s = sigmoid(x).
/// [Elfwing17]
inline real silu(real x) { return x / (1 + bounded_exp(-x)); }
inline real silu_slope(real x) {
  const real s = sigmoid(x);
  return s * (1 + x * (1 - s));
}
/// The distribution function Phi(x) of N(0, 1), and its density.
inline real normal_cdf(real x) { return real(0.5) * std::erfc(-x / std::numbers::sqrt2_v<real>); }
inline real normal_pdf(real x) {
  return fast_exp(-x * x / 2) * (std::numbers::inv_sqrtpi_v<real> / std::numbers::sqrt2_v<real>);
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
