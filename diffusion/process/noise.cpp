#include "diffusion/process/noise.h"

#include <array>
#include <cmath>
#include <numbers>

#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index directions = 256;

struct Vector {
  double x, y;
};

// Unit vectors in equidistant directions.
const std::array<Vector, directions>& unit_vectors() {
  static const auto table = [] {
    std::array<Vector, directions> vectors;
    for (Index i = 0; i < directions; ++i) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(i) / directions;
      vectors[i] = {std::cos(angle), std::sin(angle)};
    }
    return vectors;
  }();
  return table;
}

// The standard deviation of a sum of corners' contributions (1/2 - r^2)^4 (g . d) at a random place: the integral of
// (1/2 - r^2)^8 r^2 / 2 over the disc r^2 < 1/2, which is pi (1/2)^10 / 180, over the area of the plane per corner,
// 1 / sqrt(3).
const double deviation = std::sqrt(std::numbers::pi * std::numbers::sqrt3 / (180 * 1024.0));

// The octaves of [Wyatt22]: wavelengths of 64, 32, ..., 2 pixels, each 0.8 times as high as the one before.
constexpr double longest_wave = 64, persistence = 0.8;
constexpr int octaves = 6;

Tensor gaussian(const RandomKey& key, const Shape& shape, Index first_sample) {
  return normal_rows(key, shape, first_sample);
}

// A sum of independent octaves, each at a random place of its plane; every channel has its own.
// [Wyatt22] sec. 3.2
Tensor simplex_rows(const RandomKey& key, const Shape& shape, Index first_sample) {
  if (shape.rank() != 4) throw UsageError("simplex noise is for images [n,H,W,C], got ", shape);
  const Index H = shape[1], W = shape[2], C = shape[3];
  Tensor noise = Tensor::zeros(shape);
  double variance = 0;
  for (int octave = 0; octave < octaves; ++octave) variance += std::pow(persistence, 2 * octave);
  for (Index n = 0; n < shape[0]; ++n) {
    for (Index c = 0; c < C; ++c) {
      for (int octave = 0; octave < octaves; ++octave) {
        const RandomKey own = key.with_sample(first_sample + n).with_channel(c * octaves + octave);
        const std::vector<Index> gradients = permutation(own, directions);
        const double wave = std::ldexp(longest_wave, -octave), left = directions * uniform(own, 2 * directions),
                     top = directions * uniform(own, 2 * directions + 1),
                     height = std::pow(persistence, octave) / std::sqrt(variance);
        for (Index y = 0; y < H; ++y) {
          for (Index x = 0; x < W; ++x) {
            const double value =
                simplex(left + static_cast<double>(x) / wave, top + static_cast<double>(y) / wave, gradients);
            noise[((n * H + y) * W + x) * C + c] += static_cast<real>(height * value);
          }
        }
      }
    }
  }
  return noise;
}

constexpr Noise table[] = {
    {"gaussian", "independent in every pixel and channel", gaussian},
    {"simplex", "smooth patterns of all sizes [Wyatt22]; for images", simplex_rows},
};

}  // namespace

std::span<const Noise> noises() { return table; }
const Noise& find_noise(const std::string& name) { return find_line("noise", noises(), name); }

const Noise& gaussian_noise() { return table[0]; }

void require_gaussian(const Noise& noise, const char* where) {
  if (&noise == &gaussian_noise()) return;
  throw UsageError(where, ": holds for normal noise only; the noise is ", noise.name);
}

double simplex(double x, double y, std::span<const Index> gradients) {
  // Skewing maps the triangles to halves of unit squares, whose corners are whole numbers.
  constexpr double skew = (std::numbers::sqrt3 - 1) / 2, unskew = (3 - std::numbers::sqrt3) / 6;
  const double s = (x + y) * skew;
  const double i = std::floor(x + s), j = std::floor(y + s), t = (i + j) * unskew;
  const double x0 = x - (i - t), y0 = y - (j - t);  // from the square's first corner
  const bool lower = x0 > y0;                       // the half of the square with corner (1, 0)
  const std::array<Vector, 3> corners = {{{0, 0}, {lower ? 1.0 : 0.0, lower ? 0.0 : 1.0}, {1, 1}}};
  double sum = 0;
  for (const Vector& corner : corners) {
    const double dx = x0 - corner.x + (corner.x + corner.y) * unskew,
                 dy = y0 - corner.y + (corner.x + corner.y) * unskew;
    const double reach = 0.5 - dx * dx - dy * dy;
    if (reach <= 0) continue;
    const auto column = static_cast<Index>(i + corner.x) & (directions - 1),
               row = static_cast<Index>(j + corner.y) & (directions - 1);
    const Vector g = unit_vectors()[gradients[(column + gradients[row]) & (directions - 1)]];
    sum += reach * reach * reach * reach * (g.x * dx + g.y * dy);
  }
  return sum / deviation;
}

}  // namespace reverie::inline REVERIE_PRECISION
