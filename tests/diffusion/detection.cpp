// The measures of detection against their definitions, with ties, and the promise of the conformal threshold.
#include "diffusion/metrics/detection.h"

#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

// Small whole numbers: many are equal.
std::vector<double> whole_numbers(Index n, Index bound, std::uint32_t channel) {
  const RandomKey key{.seed = 5, .stream = Stream::probe, .channel = channel};
  std::vector<double> values;
  for (Index i = 0; i < n; ++i) values.push_back(static_cast<double>(uniform_index(key, bound, i)));
  return values;
}

}  // namespace

TEST_CASE("AUROC is the share of pairs in the right order, ties one half") {
  for (std::uint32_t i = 0; i < 30; ++i) {
    const auto normal = whole_numbers(3 + i % 7, 2 + i % 5, 2 * i), anomalous = whole_numbers(2 + i % 9, 6, 2 * i + 1);
    double pairs = 0;
    for (const double a : anomalous)
      for (const double n : normal) pairs += a > n ? 1 : a == n ? 0.5 : 0;
    CHECK(auroc(normal, anomalous) ==
          Approx(pairs / static_cast<double>(normal.size()) / static_cast<double>(anomalous.size())));
  }
  const std::vector<double> low{1, 2}, high{3, 4};
  CHECK(auroc(low, high) == 1);
  CHECK(auroc(high, low) == 0);
  CHECK(auroc(low, low) == 0.5);
}

TEST_CASE("the AUROC of two normal distributions at distance d is Phi(d / sqrt 2), within its interval") {
  std::vector<double> normal, anomalous;
  const Tensor draws = noise({2000});
  for (Index i = 0; i < 2000; ++i) {
    if (i < 1500)
      normal.push_back(static_cast<double>(draws[i]));
    else
      anomalous.push_back(static_cast<double>(draws[i]) + 1);
  }
  const double expected = 0.5 * std::erfc(-0.5);
  const Estimate found = bootstrap_auroc(normal, anomalous, 500, 0);
  CHECK(found.value == Approx(auroc(normal, anomalous)));
  CHECK(found.interval.low < expected);
  CHECK(found.interval.high > expected);
  CHECK(found.interval.high - found.interval.low < 0.06);
}

TEST_CASE("average precision and the best Dice by definition, over all thresholds, with ties") {
  for (std::uint32_t i = 0; i < 30; ++i) {
    const auto scores = whole_numbers(10 + i % 9, 3 + i % 6, 100 + i), coin = whole_numbers(30, 2, 200 + i);
    std::vector<std::uint8_t> positive;
    for (std::size_t k = 0; k < scores.size(); ++k) positive.push_back(coin[k] > 0 || k == 0 ? 255 : 0);
    double average = 0, best = 0, recall_before = 0;
    for (double threshold = 10; threshold >= 0; --threshold) {
      double tp = 0, fp = 0, fn = 0;
      for (std::size_t k = 0; k < scores.size(); ++k) {
        const bool flagged = scores[k] >= threshold;
        tp += flagged && positive[k] ? 1 : 0;
        fp += flagged && !positive[k] ? 1 : 0;
        fn += !flagged && positive[k] ? 1 : 0;
      }
      if (tp + fp == 0) continue;
      average += (tp / (tp + fn) - recall_before) * tp / (tp + fp);
      recall_before = tp / (tp + fn);
      best = std::max(best, 2 * tp / (2 * tp + fp + fn));
    }
    const PrecisionRecall found = precision_recall(scores, positive);
    CHECK(found.average_precision == Approx(average));
    CHECK(found.best_dice == Approx(best));
    double tp = 0, flagged = 0, all = 0;
    for (std::size_t k = 0; k < scores.size(); ++k) {
      flagged += scores[k] >= found.threshold ? 1 : 0;
      tp += scores[k] >= found.threshold && positive[k] ? 1 : 0;
      all += positive[k] ? 1 : 0;
    }
    CHECK(2 * tp / (flagged + all) == Approx(best));
  }
}

TEST_CASE("intervals of average precision and Dice resample images, not pixels") {
  const Index images = 40, pixels = 6;
  const auto scores = whole_numbers(images * pixels, 20, 300), coin = whole_numbers(images * pixels, 5, 301);
  std::vector<double> twice;  // each pixel two times
  std::vector<std::uint8_t> positive, positive_twice;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    positive.push_back(coin[i] == 0 || scores[i] > 18);
    for (int k = 0; k < 2; ++k) twice.push_back(scores[i]), positive_twice.push_back(positive.back());
  }
  const PrecisionRecall value = precision_recall(scores, positive);
  const auto found = bootstrap_precision_recall(scores, positive, images, 200, 0),
             same = bootstrap_precision_recall(twice, positive_twice, images, 200, 0);
  CHECK(found.threshold == value.threshold);
  for (const auto& [estimate, other, expected] :
       {std::tuple{found.average_precision, same.average_precision, value.average_precision},
        std::tuple{found.best_dice, same.best_dice, value.best_dice}}) {
    CHECK(estimate.value == expected);
    CHECK(estimate.interval.low < expected);
    CHECK(estimate.interval.high > expected);
    CHECK(other.interval.low == Approx(estimate.interval.low));  // twice the pixels are not twice the evidence
    CHECK(other.interval.high == Approx(estimate.interval.high));
  }
  const auto perfect =
      bootstrap_precision_recall(std::vector<double>{3, 2, 1, 0}, std::vector<std::uint8_t>{1, 1, 0, 0}, 2, 50, 0);
  CHECK(perfect.average_precision.interval.low == 1);
  CHECK(perfect.best_dice.interval.low == 1);
  CHECK(contains(error_of([&] { bootstrap_precision_recall(scores, positive, 7, 10, 0); }),
                 "240 scores do not divide into 7 images"));
}

TEST_CASE("precision and recall of perfect and of constant scores") {
  const std::vector<double> scores{5, 4, 1, 0}, same(4, 2.0);
  const std::vector<std::uint8_t> positive{1, 1, 0, 0};
  CHECK(precision_recall(scores, positive).average_precision == 1);
  CHECK(precision_recall(scores, positive).best_dice == 1);
  CHECK(precision_recall(scores, positive).threshold == 4);
  CHECK(precision_recall(same, positive).average_precision == 0.5);  // the share of positives
}

TEST_CASE("the conformal threshold is the k-th smallest score, k = ceil((n + 1)(1 - alpha))") {
  std::vector<double> scores;
  for (int i = 19; i > 0; --i) scores.push_back(i);
  CHECK(conformal_quantile(scores, 0.05) == 19);  // 20 * 0.95 = 19
  CHECK(conformal_quantile(scores, 0.5) == 10);
  CHECK(conformal_quantile(scores, 0.9999) == 1);
  const std::string few = error_of([&] { conformal_quantile(std::vector<double>(18), 0.05); });
  CHECK(contains(few, "18 scores"));
  CHECK(contains(few, "at least 19"));
  CHECK(contains(error_of([&] { conformal_quantile(std::vector<double>(98), 0.01); }), "at least 99"));
}

TEST_CASE("a new score exceeds the conformal threshold as often as promised: (n + 1 - k) / (n + 1), never more") {
  constexpr Index trials = 4000, n = 39;
  const double alpha = 0.1;
  for (const bool ties : {false, true}) {
    Index alarms = 0;
    for (Index trial = 0; trial < trials; ++trial) {
      const RandomKey key{.seed = 3, .stream = Stream::probe, .step = static_cast<std::uint64_t>(trial)};
      std::vector<double> scores;
      for (Index i = 0; i <= n; ++i)
        scores.push_back(ties ? static_cast<double>(uniform_index(key, 8, i)) : -std::log(uniform(key, i)));
      const double last = scores.back();
      scores.pop_back();
      alarms += last > conformal_quantile(scores, alpha) ? 1 : 0;
    }
    const double share = static_cast<double>(alarms) / trials, error = std::sqrt(alpha * (1 - alpha) / trials);
    CHECK(share < alpha + 4 * error);
    if (!ties) CHECK(share > alpha - 4 * error);  // 40 * 0.9 is whole, so the promise is exact
  }
}

TEST_CASE("detection measures name what they can't take") {
  const std::vector<double> scores{1, 2}, none, bad{1, std::nan("")};
  const std::vector<std::uint8_t> three{1, 0, 0}, nothing{0, 0}, one{1, 0};
  CHECK(contains(error_of([&] { auroc(scores, none); }), "2 normal and 0 anomalous"));
  CHECK(contains(error_of([&] { auroc(scores, bad); }), "score 3 is nan"));
  CHECK(contains(error_of([&] { precision_recall(scores, three); }), "2 scores, but 3 labels"));
  CHECK(contains(error_of([&] { precision_recall(scores, nothing); }), "none of 2"));
  CHECK(contains(error_of([&] { precision_recall(bad, one); }), "score 1 is nan"));
  CHECK(contains(error_of([&] { conformal_quantile(bad, 0.5); }), "score 1 is nan"));
  for (const double alpha : {0.0, 1.0, -1.0, std::nan("")})
    CHECK(contains(error_of([&] { conformal_quantile(scores, alpha); }), "0 < alpha < 1"));
}
