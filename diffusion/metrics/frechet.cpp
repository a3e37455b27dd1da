#include "diffusion/metrics/frechet.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "diffusion/metrics/symmetric_eigen.h"
#include "tensor/finite.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// X Y for n x n matrices.
std::vector<double> product(const std::vector<double>& x, const std::vector<double>& y, std::size_t n) {
  std::vector<double> z(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t j = 0; j < n; ++j) z[i * n + j] += x[i * n + k] * y[k * n + j];
    }
  }
  return z;
}

// A^(1/2) = V diag(sqrt(values)) V^T; eigenvalues below zero are due to rounding and count as zero.
std::vector<double> square_root(const std::vector<double>& a, std::size_t n) {
  const SymmetricEigen eigen = symmetric_eigen(a, static_cast<Index>(n));
  std::vector<double> scaled = eigen.vectors, transposed(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      scaled[i * n + j] *= std::sqrt(std::max(0.0, eigen.values[j]));
      transposed[j * n + i] = eigen.vectors[i * n + j];
    }
  }
  return product(scaled, transposed, n);
}

}  // namespace

Moments moments(const Tensor& features) {
  std::vector<Index> rows(static_cast<std::size_t>(features.rank() > 0 ? features.extent(0) : 0));
  std::iota(rows.begin(), rows.end(), Index{0});
  return moments(features, rows);
}

Moments moments(const Tensor& features, std::span<const Index> rows) {
  if (features.rank() != 2) throw ShapeError("moments: features have shape ", features.shape(), ", expected [N,D]");
  if (rows.size() < 2) throw ShapeError("moments: a covariance needs at least two rows, not ", rows.size());
  require_finite("moments", features);
  const std::size_t n = static_cast<std::size_t>(features.extent(1));
  Moments result{std::vector<double>(n), std::vector<double>(n * n)};
  const auto row = [&](Index i) { return features.data() + i * features.extent(1); };
  for (const Index i : rows) {
    for (std::size_t j = 0; j < n; ++j) result.mean[j] += static_cast<double>(row(i)[j]);
  }
  for (double& mean : result.mean) mean /= static_cast<double>(rows.size());
  std::vector<double> centred(n);
  for (const Index i : rows) {
    for (std::size_t j = 0; j < n; ++j) centred[j] = static_cast<double>(row(i)[j]) - result.mean[j];
    for (std::size_t j = 0; j < n; ++j) {
      const double c = centred[j];
      double* to = &result.covariance[j * n];
      for (std::size_t k = 0; k < n; ++k) to[k] += c * centred[k];
    }
  }
  for (double& c : result.covariance) c /= static_cast<double>(rows.size() - 1);
  return result;
}

// A B has the same eigenvalues as the symmetric A^(1/2) B A^(1/2), so tr (A B)^(1/2) is the sum of their roots.
double frechet_distance(const Moments& a, const Moments& b) {
  const std::size_t n = a.mean.size();
  if (n != b.mean.size()) {
    throw ShapeError("frechet distance: features of width ", n, " and ", b.mean.size(), " can't be compared");
  }
  const std::vector<double> root = square_root(a.covariance, n);
  const SymmetricEigen eigen = symmetric_eigen(product(product(root, b.covariance, n), root, n), static_cast<Index>(n));
  double distance = 0;
  for (std::size_t i = 0; i < n; ++i) {
    distance += std::pow(a.mean[i] - b.mean[i], 2) + a.covariance[i * n + i] + b.covariance[i * n + i] -
                2 * std::sqrt(std::max(0.0, eigen.values[i]));
  }
  return distance < 0 ? 0 : distance;  // rounding; NaN stays
}

double frechet_distance(const Tensor& features_a, const Tensor& features_b) {
  return frechet_distance(moments(features_a), moments(features_b));
}

}  // namespace reverie::inline REVERIE_PRECISION
