#pragma once
#include <span>

#include "diffusion/tables/table.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

/// A row of the table of noises that the forward process can add, with mean 0 and variance 1 in every element.
struct Noise {
  const char* name;
  const char* summary;
  /// Noise of this shape, [n,H,W,C] (gaussian: any); row i is drawn for sample first_sample + i, a function of the key.
  Tensor (*rows)(const RandomKey& key, const Shape& shape, Index first_sample);
};
std::span<const Noise> noises();
/// Looks up by name; throws UsageError listing the valid names.
const Noise& find_noise(const std::string& name);
/// The noise that all formulas assume: the table's first row.
const Noise& gaussian_noise();
/// Throws UsageError, naming `where`, for other noise than that.
void require_gaussian(const Noise& noise, const char* where);

/// Simplex noise in the plane: smooth, with one bump in about each triangle of side 0.82. Mean 0 and variance 1 over
/// the plane; `gradients`, 256 numbers from 0 to 255 in random order, decide about the bumps.
/// [Perlin01], [Gustavson05]
double simplex(double x, double y, std::span<const Index> gradients);

}  // namespace reverie::inline REVERIE_PRECISION
