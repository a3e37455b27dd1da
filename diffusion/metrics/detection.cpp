#include "diffusion/metrics/detection.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "tensor/error.h"
#include "tensor/finite.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void require_scores(std::span<const double> scores) {
  const std::size_t bad = first_not_finite(scores);
  if (bad < scores.size()) throw Error("detection: score ", bad, " is ", scores[bad]);
}

// Row numbers by ascending score.
std::vector<Index> order_of(std::span<const double> scores) {
  std::vector<Index> order(scores.size());
  std::iota(order.begin(), order.end(), Index{0});
  std::sort(order.begin(), order.end(), [&](Index a, Index b) { return scores[a] < scores[b]; });
  return order;
}

// Normal and anomalous scores in one list, sorted once for all resamples.
class Ranking {
 public:
  Ranking(std::span<const double> normal, std::span<const double> anomalous)
      : normals_(std::ssize(normal)), scores_(normal.begin(), normal.end()) {
    if (normal.empty() || anomalous.empty()) {
      throw UsageError("auroc: ", normal.size(), " normal and ", anomalous.size(),
                       " anomalous samples; expects at least one of each");
    }
    scores_.insert(scores_.end(), anomalous.begin(), anomalous.end());
    require_scores(scores_);
    order_ = order_of(scores_);
  }

  // `normal`, `anomalous`: how many times each sample counts.
  double area(std::span<const double> normal, std::span<const double> anomalous) const {
    double below = 0, pairs = 0, all_anomalous = 0;
    for (std::size_t i = 0; i < order_.size();) {
      double normals_here = 0, anomalous_here = 0;
      const double score = scores_[order_[i]];
      for (; i < order_.size() && scores_[order_[i]] == score; ++i) {
        const Index row = order_[i];
        (row < normals_ ? normals_here : anomalous_here) += row < normals_ ? normal[row] : anomalous[row - normals_];
      }
      pairs += anomalous_here * (below + normals_here / 2);
      below += normals_here;
      all_anomalous += anomalous_here;
    }
    return pairs / (below * all_anomalous);
  }

 private:
  Index normals_;
  std::vector<double> scores_;
  std::vector<Index> order_;
};

// Scores in one list, sorted once for all resamples.
class Thresholds {
 public:
  Thresholds(std::span<const double> scores, std::span<const std::uint8_t> positive)
      : scores_(scores), positive_(positive) {
    if (scores.size() != positive.size()) {
      throw UsageError("precision and recall: ", scores.size(), " scores, but ", positive.size(), " labels");
    }
    if (std::all_of(positive.begin(), positive.end(), [](std::uint8_t value) { return value == 0; })) {
      throw UsageError("precision and recall: none of ", scores.size(), " scores is of a positive");
    }
    require_scores(scores);
    order_ = order_of(scores);
  }

  // `weight(row)`: how many times a score counts.
  template <class Weight>
  PrecisionRecall best(const Weight& weight) const {
    double positives = 0;
    for (const Index row : order_) positives += positive_[row] != 0 ? weight(row) : 0;
    PrecisionRecall result{0, 0, 0};
    double found = 0, flagged = 0;
    for (std::size_t i = order_.size(); i > 0;) {
      const double score = scores_[order_[i - 1]], before = found;
      for (; i > 0 && scores_[order_[i - 1]] == score; --i) {
        const Index row = order_[i - 1];
        found += positive_[row] != 0 ? weight(row) : 0;
        flagged += weight(row);
      }
      if (found > before) result.average_precision += (found - before) / positives * (found / flagged);
      const double dice = 2 * found / (flagged + positives);  // FP + FN = flagged + positives - 2 TP
      if (dice > result.best_dice) result.best_dice = dice, result.threshold = score;
    }
    return result;
  }

 private:
  std::span<const double> scores_;
  std::span<const std::uint8_t> positive_;
  std::vector<Index> order_;
};

}  // namespace

double auroc(std::span<const double> normal, std::span<const double> anomalous) {
  return Ranking(normal, anomalous)
      .area(std::vector<double>(normal.size(), 1), std::vector<double>(anomalous.size(), 1));
}

Estimate bootstrap_auroc(std::span<const double> normal, std::span<const double> anomalous, Index replicates,
                         std::uint64_t seed) {
  const Ranking ranking(normal, anomalous);
  const double value = auroc(normal, anomalous);
  const Interval interval = bootstrap_interval(value, replicates, [&](Index replicate) {
    return ranking.area(resample_counts(std::ssize(normal), seed, replicate, 0),
                        resample_counts(std::ssize(anomalous), seed, replicate, 1));
  });
  return {value, {std::max(interval.low, 0.0), std::min(interval.high, 1.0)}};  // the shift may lead outside
}

PrecisionRecall precision_recall(std::span<const double> scores, std::span<const std::uint8_t> positive) {
  return Thresholds(scores, positive).best([](Index) { return 1.0; });
}

PrecisionRecallEstimates bootstrap_precision_recall(std::span<const double> scores,
                                                    std::span<const std::uint8_t> positive, Index images,
                                                    Index replicates, std::uint64_t seed) {
  const Thresholds thresholds(scores, positive);
  const Index all = std::ssize(scores);
  if (images < 1 || all % images != 0) {
    throw UsageError("precision and recall: ", all, " scores do not divide into ", images, " images");
  }
  const Index pixels = all / images;
  std::array<std::vector<Index>, 2> kinds;  // images without a positive pixel, and with one
  for (Index i = 0; i < images; ++i) {
    const auto first = positive.begin() + i * pixels;
    kinds[std::any_of(first, first + pixels, [](std::uint8_t value) { return value != 0; })].push_back(i);
  }
  std::vector<PrecisionRecall> found(static_cast<std::size_t>(replicates));
  parallel_tasks(replicates, [&](Index replicate) {
    std::vector<double> weights(static_cast<std::size_t>(images));  // how many times each image counts
    for (std::size_t kind = 0; kind < 2; ++kind) {
      const auto counts = resample_counts(std::ssize(kinds[kind]), seed, replicate, static_cast<Index>(kind));
      for (std::size_t i = 0; i < counts.size(); ++i) weights[kinds[kind][i]] = counts[i];
    }
    found[replicate] = thresholds.best([&](Index pixel) { return weights[pixel / pixels]; });
  });
  const PrecisionRecall value = thresholds.best([](Index) { return 1.0; });
  const auto estimate = [&](double PrecisionRecall::*measure) {
    const Interval interval =
        bootstrap_interval(value.*measure, replicates, [&](Index i) { return found[i].*measure; });
    return Estimate{value.*measure, {std::max(interval.low, 0.0), std::min(interval.high, 1.0)}};
  };
  return {estimate(&PrecisionRecall::average_precision), estimate(&PrecisionRecall::best_dice), value.threshold};
}

double conformal_quantile(std::vector<double> scores, double alpha) {
  if (!(alpha > 0 && alpha < 1)) throw UsageError("conformal threshold: alpha is ", alpha, "; expects 0 < alpha < 1");
  require_scores(scores);
  constexpr double rounding = 1e-9;  // 0.95 * 20 has to be 19
  const auto n = static_cast<double>(scores.size());
  const double k = std::max(1.0, std::ceil((n + 1) * (1 - alpha) - rounding));
  if (k > n) {
    throw UsageError("conformal threshold: ", scores.size(), " scores of healthy samples can't promise at most ",
                     100 * alpha, "% false alarms; expects at least ", std::ceil((1 - alpha) / alpha - rounding));
  }
  const auto place = scores.begin() + static_cast<std::ptrdiff_t>(k) - 1;
  std::nth_element(scores.begin(), place, scores.end());
  return *place;
}

}  // namespace reverie::inline REVERIE_PRECISION
