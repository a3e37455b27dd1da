#include <numeric>

#include "data/toy.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/metrics/distances.h"
#include "diffusion/metrics/frechet.h"
#include "diffusion/metrics/kernel_distance.h"
#include "diffusion/metrics/memorisation.h"
#include "diffusion/metrics/modes.h"
#include "diffusion/metrics/prdc.h"
#include "diffusion/metrics/symmetric_eigen.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

Tensor shifted(const Tensor& x, double by) { return (Var(x) + by).value(); }

std::vector<double> diagonal(std::initializer_list<double> values) {
  std::vector<double> matrix(values.size() * values.size());
  std::size_t i = 0;
  for (const double value : values) {
    matrix[i * values.size() + i] = value;
    ++i;
  }
  return matrix;
}

}  // namespace

TEST_CASE("a symmetric matrix is V diag(values) V^T with orthonormal V; the trace is the sum of the values") {
  constexpr Index n = 12;
  const Tensor random = noise({n, n});
  std::vector<double> a(n * n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) a[i * n + j] = static_cast<double>(random[i * n + j] + random[j * n + i]);
  }
  const auto [values, vectors] = symmetric_eigen(a, n);
  double trace = 0;
  for (std::size_t i = 0; i < n; ++i) {
    trace += a[i * n + i];
    for (std::size_t j = 0; j < n; ++j) {
      double rebuilt = 0, dot = 0;
      for (std::size_t k = 0; k < n; ++k) {
        rebuilt += vectors[i * n + k] * values[k] * vectors[j * n + k];
        dot += vectors[k * n + i] * vectors[k * n + j];
      }
      CHECK(std::abs(rebuilt - a[i * n + j]) < 1e-12);
      CHECK(std::abs(dot - (i == j ? 1 : 0)) < 1e-13);
    }
  }
  CHECK(std::accumulate(values.begin(), values.end(), 0.0) == Approx(trace));
  CHECK_THROWS_AS(symmetric_eigen({1, 2, 3}, 2), ShapeError);
}

TEST_CASE("Frechet distance of normal distributions with diagonal covariances: means and deviations apart") {
  const Moments a{{1, 2, 3}, diagonal({4, 9, 1})}, b{{1, 0, 4}, diagonal({1, 25, 1})};
  CHECK(frechet_distance(a, b) == Approx(4 + 1 + 1 + 4));  // (2 - 1)^2 + (3 - 5)^2
  CHECK(frechet_distance(a, a) == Approx(0));
  CHECK(frechet_distance(b, a) == Approx(frechet_distance(a, b)));
}

TEST_CASE("Frechet distance in two dimensions: tr (A B)^(1/2) = sqrt(tr A B + 2 sqrt(det A B))") {
  const Moments a{{0, 0}, {2, 0.5, 0.5, 1}}, b{{0, 0}, {1, -0.3, -0.3, 3}};
  const double trace_ab = 2 * 1 + 2 * 0.5 * -0.3 + 1 * 3, det_ab = (2 - 0.25) * (3 - 0.09);
  CHECK(frechet_distance(a, b) == Approx(3 + 4 - 2 * std::sqrt(trace_ab + 2 * std::sqrt(det_ab))));
}

TEST_CASE(
    "Frechet distance of sets: zero for equal ones, the square of a shift, and fewer rows than features will do") {
  for (const Index rows : {3, 200}) {
    const Tensor features = noise({rows, 8});
    CHECK(std::abs(frechet_distance(features, features)) < 1e-6);
    CHECK(frechet_distance(features, shifted(features, 0.5)) == Approx(8 * 0.25).epsilon(1e-5));
  }
  CHECK_THROWS_AS(frechet_distance(noise({4, 3}), noise({4, 2})), ShapeError);
  CHECK_THROWS_AS(moments(noise({1, 3})), ShapeError);
}

TEST_CASE("covariances divide by rows - 1") {
  const Moments m = moments(Tensor::from({3, 2}, {0, 1, 1, 1, 2, 4}));
  CHECK(m.mean == std::vector<double>{1, 2});
  CHECK(m.covariance == std::vector<double>{1, 1.5, 1.5, 3});
}

TEST_CASE("distances of a 3-4-5 triangle") {
  const Tensor a = Tensor::from({1, 2}, {0, 0}), b = Tensor::from({2, 2}, {3, 4, 0, 2});
  CHECK(squared_distances(a, b) == std::vector<double>{25, 4});
  CHECK(nearest_distances(a, b) == std::vector<double>{2});
  CHECK_THROWS_AS(squared_distances(a, Tensor::zeros({2, 3})), ShapeError);
}

TEST_CASE("identical sets cover one another: precision, recall and coverage are 1, and so is density") {
  const Tensor features = noise({60, 4});
  const Prdc p = prdc(features, features, 5);
  CHECK(mean_of(p.precision) == 1);
  CHECK(mean_of(p.recall) == 1);
  CHECK(mean_of(p.coverage) == 1);
  CHECK(mean_of(p.density) == Approx(6. / 5));  // in a ball: its centre and the k nearest other rows
}

TEST_CASE("sets far apart don't meet; a collapsed set has precision without recall") {
  const Tensor real = noise({60, 4});
  const Prdc apart = prdc(real, shifted(real, 100), 3);
  for (const auto* share : {&apart.precision, &apart.recall, &apart.density, &apart.coverage})
    CHECK(mean_of(*share) == 0);
  const Tensor collapsed = (Var(noise({60, 4}, 1)) * 0.01 + real.rows(0, 1).reshape({4})).value();
  const Prdc collapse = prdc(real, collapsed, 3);
  CHECK(mean_of(collapse.precision) == 1);
  CHECK(mean_of(collapse.recall) < 0.05);
  CHECK(mean_of(collapse.coverage) < 0.2);
  CHECK_THROWS_AS(prdc(real, real, 60), UsageError);
}

TEST_CASE("precision, recall, density, coverage of points on a line, by hand") {
  // k = 1. Real 0, 1, 3: radii 1, 1, 2. Generated 0.5, 2.5, 9: radii 2, 2, 6.5.
  const Prdc p = prdc(Tensor::from({3, 1}, {0, 1, 3}), Tensor::from({3, 1}, {0.5, 2.5, 9}), 1);
  CHECK(p.precision == std::vector<double>{1, 1, 0});
  CHECK(p.density == std::vector<double>{2, 1, 0});
  CHECK(p.recall == std::vector<double>{1, 1, 1});
  CHECK(p.coverage == std::vector<double>{1, 1, 1});
}

TEST_CASE("kernel distance is what the definition says, and a resample with every row once is the estimate") {
  const Tensor a = noise({5, 3}), b = noise({4, 3}, 1);
  const auto k = [](const Tensor& x, Index i, const Tensor& y, Index j) {
    double dot = 0;
    for (Index d = 0; d < 3; ++d) dot += static_cast<double>(x[i * 3 + d]) * static_cast<double>(y[j * 3 + d]);
    return std::pow(dot / 3 + 1, 3);
  };
  double want = 0;
  for (Index i = 0; i < 5; ++i) {
    for (Index j = 0; j < 5; ++j) want += i == j ? 0 : k(a, i, a, j) / 20;
    for (Index j = 0; j < 4; ++j) want -= 2 * k(a, i, b, j) / 20;
  }
  for (Index i = 0; i < 4; ++i) {
    for (Index j = 0; j < 4; ++j) want += i == j ? 0 : k(b, i, b, j) / 12;
  }
  const KernelDistance distance(a, b);
  CHECK(distance.estimate() == Approx(want));
  // Row 0 twice instead of row 1: 20 ordered pairs of draws, less the two that pair the copies.
  const std::vector<double> twice{2, 0, 1, 1, 1}, once(4, 1);
  double pairs = 0;
  for (Index i = 0; i < 5; ++i) {
    for (Index j = 0; j < 5; ++j) pairs += i == j ? 0 : twice[i] * twice[j] * k(a, i, a, j) / 18;
  }
  double ab = 0, b_only = 0;
  for (Index j = 0; j < 4; ++j) {
    for (Index i = 0; i < 5; ++i) ab += twice[i] * k(a, i, b, j) / 20;
    for (Index i = 0; i < 4; ++i) b_only += i == j ? 0 : k(b, i, b, j) / 12;
  }
  CHECK(distance.estimate(twice, once) == Approx(pairs + b_only - 2 * ab));
}

TEST_CASE("kernel distance is unbiased: over draws from one distribution it scatters around zero, of both signs") {
  double sum = 0, squares = 0;
  constexpr int draws = 60;
  int negative = 0;
  for (std::uint32_t i = 0; i < draws; ++i) {
    const double d = KernelDistance(noise({30, 4}, 2 * i), noise({30, 4}, 2 * i + 1)).estimate();
    sum += d;
    squares += d * d;
    negative += d < 0;
  }
  const double mean = sum / draws, standard_error = std::sqrt((squares / draws - mean * mean) / draws);
  CHECK(std::abs(mean) < 3 * standard_error);
  CHECK(negative > 10);
  CHECK(negative < 50);
  CHECK(KernelDistance(noise({100, 4}), shifted(noise({100, 4}, 1), 0.5)).estimate() > 0.1);
}

TEST_CASE("a bootstrap interval of a mean is 1.96 standard errors to each side") {
  const Tensor x = noise({400});
  const std::vector<double> values(x.values().begin(), x.values().end());
  const auto [mean, interval] = bootstrap_mean(values, 2000, 0);
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  const double standard_error = std::sqrt(squares / 400 / 400);
  CHECK(interval.low == Approx(mean - 1.96 * standard_error).epsilon(0.03));
  CHECK(interval.high == Approx(mean + 1.96 * standard_error).epsilon(0.03));
}

TEST_CASE("bootstrap intervals hold the truth about 95 times in a hundred") {
  int held = 0;
  constexpr int trials = 300;
  for (std::uint32_t i = 0; i < trials; ++i) {
    const Tensor x = noise({60}, i);
    const auto [low, high] = bootstrap_mean(std::vector<double>(x.values().begin(), x.values().end()), 300, i).interval;
    held += low <= 0 && 0 <= high;
  }
  CHECK(held > 0.90 * trials);
  CHECK(held < 0.985 * trials);
}

TEST_CASE("resamples are functions of seed, replicate and set, with n rows in range") {
  CHECK(resample(50, 1, 2) == resample(50, 1, 2));
  CHECK(resample(50, 1, 2) != resample(50, 1, 3));
  CHECK(resample(50, 1, 2, 0) != resample(50, 1, 2, 1));
  const std::vector<double> counts = resample_counts(50, 1, 2);
  CHECK(std::accumulate(counts.begin(), counts.end(), 0.0) == 50);
}

TEST_CASE("copies of training images are found out; new images of the same kind are not") {
  const Tensor training = noise({300, 4, 4, 1}), held_out = noise({400, 4, 4, 1}, 1), fresh = noise({400, 4, 4, 1}, 2);
  const Memorisation copies = memorisation(training.rows(0, 100), held_out, training);
  CHECK(copies.nearly_copied == 1);
  CHECK(copies.sample_copies == 100);
  CHECK(copies.sample_median == 0);
  const Memorisation honest = memorisation(fresh, held_out, training);
  CHECK(honest.nearly_copied < 0.04);
  CHECK(honest.sample_copies == 0);
  CHECK(honest.sample_median == Approx(honest.held_out_median).epsilon(0.05));
}

TEST_CASE("the eight Gaussians have eight modes at radius sqrt(1.98), and their own points fall into them") {
  const PointSet reference = toy("eight_gaussians", 4000, 0), fresh = toy("eight_gaussians", 2000, 1);
  const Clusters c = clusters(reference.points, reference.labels, 8);
  for (std::size_t k = 0; k < 8; ++k) {
    CHECK(std::hypot(c.centres[k][0], c.centres[k][1]) == Approx(std::sqrt(1.98)).epsilon(0.02));
    CHECK(c.deviations[k] == Approx(0.1).epsilon(0.1));
  }
  const ModeCount modes = count_modes(nearest_modes(fresh.points, c), 8);
  CHECK(modes.found == 8);
  CHECK(modes.in_modes > 0.995);  // 1 - exp(-8) within four deviations
}

TEST_CASE("a collapse to three of the eight Gaussians shows") {
  const PointSet reference = toy("eight_gaussians", 4000, 0), fresh = toy("eight_gaussians", 4000, 1);
  std::vector<Index> kept;
  for (Index i = 0; i < fresh.size(); ++i) {
    if (fresh.labels[i] < 3) kept.push_back(i);
  }
  const Clusters c = clusters(reference.points, reference.labels, 8);
  const ModeCount modes = count_modes(nearest_modes(fresh.batch(kept), c), 8);
  CHECK(modes.found == 3);
  CHECK(nearest_modes(Tensor::zeros({2, 2}), c) == std::vector<Index>{-1, -1});  // the empty middle
}
