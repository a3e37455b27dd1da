// The measures against their definitions in the papers, written out once more without regard to speed, and against
// closed forms; on small sets with many ties.
#include <array>
#include <numeric>

#include "diffusion/metrics/bootstrap.h"
#include "diffusion/metrics/frechet.h"
#include "diffusion/metrics/kernel_distance.h"
#include "diffusion/metrics/memorisation.h"
#include "diffusion/metrics/prdc.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

// Rows of small integers: every distance is exact, and many are equal.
Tensor on_a_grid(Index rows, Index width, Index size, std::uint32_t channel) {
  const RandomKey key{.seed = 11, .stream = Stream::probe, .channel = channel};
  Tensor x = Tensor::uninitialized({rows, width});
  for (Index i = 0; i < x.size(); ++i) x[i] = static_cast<real>(uniform_index(key, size, i));
  return x;
}

double distance(const Tensor& a, Index i, const Tensor& b, Index j) {
  double sum = 0;
  for (Index d = 0; d < a.extent(1); ++d)
    sum += std::pow(static_cast<double>(a[i * a.extent(1) + d]) - static_cast<double>(b[j * b.extent(1) + d]), 2);
  return std::sqrt(sum);
}

// NND_k: the distance to the k-th nearest row of the same set, the row itself excluded.
double radius(const Tensor& x, Index i, Index k) {
  std::vector<double> others;
  for (Index j = 0; j < x.extent(0); ++j)
    if (j != i) others.push_back(distance(x, i, x, j));
  std::sort(others.begin(), others.end());
  return others[k - 1];
}

// [Kynkaanniemi19] eq. 1: whether a row is in the ball of any row of a set.
bool in_manifold(const Tensor& x, Index i, const Tensor& set, Index k) {
  for (Index j = 0; j < set.extent(0); ++j)
    if (distance(x, i, set, j) <= radius(set, j, k)) return true;
  return false;
}

// x mapped by a rotation in the plane of the first two coordinates.
std::vector<double> rotated(const std::array<double, 3>& diagonal, double angle) {
  const double c = std::cos(angle), s = std::sin(angle), a = diagonal[0], b = diagonal[1];
  return {c * c * a + s * s * b, c * s * (a - b), 0, c * s * (a - b), s * s * a + c * c * b, 0, 0, 0, diagonal[2]};
}

}  // namespace

TEST_CASE("precision, recall, density and coverage by definition, on sets with many ties [Kynkaanniemi19] [Naeem20]") {
  for (std::uint32_t i = 0; i < 30; ++i) {
    const Index N = 7 + i % 5, M = 6 + i % 7, k = 1 + i % 5;
    const Tensor real = on_a_grid(N, 2, 2 + i % 4, 2 * i), generated = on_a_grid(M, 2, 2 + i % 4, 2 * i + 1);
    const Prdc p = prdc(real, generated, k);
    for (Index j = 0; j < M; ++j) {
      CHECK(p.precision[j] == in_manifold(generated, j, real, k));
      double balls = 0;
      for (Index n = 0; n < N; ++n) balls += distance(real, n, generated, j) <= radius(real, n, k);
      CHECK(p.density[j] == Approx(balls / static_cast<double>(k)));
    }
    for (Index n = 0; n < N; ++n) {
      CHECK(p.recall[n] == in_manifold(real, n, generated, k));
      double nearest = INFINITY;
      for (Index j = 0; j < M; ++j) nearest = std::min(nearest, distance(real, n, generated, j));
      CHECK(p.coverage[n] == (nearest <= radius(real, n, k)));
    }
  }
}

TEST_CASE("precision and coverage with ties, by hand") {
  // k = 2. Real 0, 0, 0, 4, 8: radii 0, 0, 0, 4, 8. Generated 0, 4, 4, 12: radii 4, 8, 8, 8.
  const Prdc p = prdc(Tensor::from({5, 1}, {0, 0, 0, 4, 8}), Tensor::from({4, 1}, {0, 4, 4, 12}), 2);
  CHECK(p.precision == std::vector<double>{1, 1, 1, 1});
  CHECK(p.density == std::vector<double>{2.5, 1, 1, 0.5});
  CHECK(p.recall == std::vector<double>{1, 1, 1, 1, 1});
  CHECK(p.coverage == std::vector<double>{1, 1, 1, 1, 1});
}

TEST_CASE("new samples of the data's distribution have density 1 and the coverage of [Naeem20] sec. 4.2") {
  constexpr Index N = 60, M = 40, k = 5, trials = 60;
  double density = 0, coverage = 0, expected = 1;
  for (Index i = 0; i < k; ++i) expected *= static_cast<double>(N - 1 - i) / static_cast<double>(N + M - 1 - i);
  for (std::uint32_t i = 0; i < trials; ++i) {
    const Prdc p = prdc(noise({N, 3}, 2 * i), noise({M, 3}, 2 * i + 1), k);
    density += mean_of(p.density) / trials;
    coverage += mean_of(p.coverage) / trials;
  }
  CHECK(density == Approx(1).epsilon(0.04));
  CHECK(coverage == Approx(1 - expected).epsilon(0.02));
}

TEST_CASE("Frechet distance: sum (sqrt a - sqrt b)^2 for covariances with common axes; singular ones too") {
  const std::array<double, 3> a{4, 0.25, 0}, b{1, 9, 0};
  for (const double angle : {0.0, 0.3, 1.1}) {
    const Moments p{{0, 1, 2}, rotated(a, angle)}, q{{0, 3, 2}, rotated(b, angle)};
    CHECK(frechet_distance(p, q) == Approx(4 + 1 + 6.25));
    CHECK(frechet_distance(q, p) == Approx(frechet_distance(p, q)));
  }
  // With axes a quarter turn apart they are diagonal again.
  const Moments p{{0, 0, 0}, rotated(a, 0)}, q{{0, 0, 0}, rotated(b, std::acos(0.0))};
  CHECK(frechet_distance(p, q) == Approx(1 + 0.25));  // (2 - 3)^2 + (0.5 - 1)^2
}

TEST_CASE("Frechet distance of samples: two normal distributions in closed form, from above") {
  const Tensor x = noise({20'000, 2}), y = (2 * Var(noise({20'000, 2}, 1)) + 1).value();
  CHECK(frechet_distance(x, y) ==
        Approx(2 + 2).epsilon(0.03));  // means 1 and deviations 2 - 1 apart in each coordinate
  double few = 0, more = 0;
  for (std::uint32_t i = 0; i < 20; ++i) {
    few += frechet_distance(noise({20, 4}, 4 * i), noise({20, 4}, 4 * i + 1)) / 20;
    more += frechet_distance(noise({200, 4}, 4 * i + 2), noise({200, 4}, 4 * i + 3)) / 20;
  }
  CHECK(few > 5 * more);
  CHECK(more > 0);
}

TEST_CASE("kernel distance: the mean of the estimates is the squared discrepancy of the distributions") {
  // Coins 0 or 1 with probabilities p and q: k(x, y) = (x y + 1)^3, so E k(x, y) = 1 + 7 P(x = y = 1), and
  // MMD^2 = 7 (p - q)^2.
  constexpr double p = 0.7, q = 0.4;
  constexpr int trials = 3000;
  double sum = 0, squares = 0;
  for (std::uint32_t i = 0; i < trials; ++i) {
    const RandomKey key{.seed = 3, .stream = Stream::probe, .channel = i};
    Tensor a = Tensor::uninitialized({6, 1}), b = Tensor::uninitialized({5, 1});
    for (Index n = 0; n < 6; ++n) a[n] = uniform(key, n) < p ? 1 : 0;
    for (Index n = 0; n < 5; ++n) b[n] = uniform(key, 6 + n) < q ? 1 : 0;
    const double estimate = KernelDistance(a, b).estimate();
    sum += estimate;
    squares += estimate * estimate;
  }
  const double mean = sum / trials, error = std::sqrt((squares / trials - mean * mean) / trials);
  CHECK(std::abs(mean - 7 * (p - q) * (p - q)) < 3 * error);
  CHECK(error < 0.05);
}

TEST_CASE("bootstrap intervals hold a known mean about 95 times in 100, for skewed values and for shares") {
  constexpr int trials = 400;
  int skewed = 0, shares = 0;
  for (std::uint32_t i = 0; i < trials; ++i) {
    const RandomKey key{.seed = 5, .stream = Stream::probe, .channel = i};
    std::vector<double> waits, coins;
    for (Index n = 0; n < 100; ++n) {
      waits.push_back(-std::log(uniform(key, n)));  // exponential, mean 1
      coins.push_back(uniform(key, 100 + n) < 0.3 ? 1 : 0);
    }
    const Interval of_waits = bootstrap_mean(waits, 200, i).interval, of_coins = bootstrap_mean(coins, 200, i).interval;
    skewed += of_waits.low <= 1 && 1 <= of_waits.high;
    shares += of_coins.low <= 0.3 && 0.3 <= of_coins.high;
  }
  for (const int held : {skewed, shares}) {
    CHECK(held > 0.90 * trials);
    CHECK(held < 0.98 * trials);
  }
}

TEST_CASE("near copies by definition, on sets with many ties") {
  for (std::uint32_t i = 0; i < 30; ++i) {
    const Tensor samples = on_a_grid(9, 2, 4 + i % 5, 3 * i), held_out = on_a_grid(5 + 40 * (i % 6), 2, 7, 3 * i + 1),
                 training = on_a_grid(6, 2, 6, 3 * i + 2);
    const auto nearest = [&](const Tensor& x, Index n) {
      double least = INFINITY;
      for (Index j = 0; j < training.extent(0); ++j) least = std::min(least, distance(x, n, training, j));
      return least / std::sqrt(2);
    };
    std::vector<double> kept;
    for (Index n = 0; n < held_out.extent(0); ++n)
      if (const double d = nearest(held_out, n); d > 0) kept.push_back(d);
    std::sort(kept.begin(), kept.end());
    const Memorisation m = memorisation(samples, held_out, training);
    CHECK(m.held_out_copies == held_out.extent(0) - std::ssize(kept));
    if (kept.empty()) continue;
    const Index k = 1 + std::ssize(kept) / 100;
    Index below = 0, copies = 0;
    for (Index n = 0; n < 9; ++n) {
      below += nearest(samples, n) < kept[k - 1];
      copies += nearest(samples, n) == 0;
    }
    CHECK(m.threshold == Approx(kept[k - 1]));
    CHECK(m.nearly_copied == Approx(static_cast<double>(below) / 9));
    CHECK(m.sample_copies == copies);
    CHECK(m.expected == Approx(static_cast<double>(k) / static_cast<double>(std::ssize(kept) + 1)));
  }
}
