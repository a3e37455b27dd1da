#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "diffusion/metrics/bootstrap.h"

namespace reverie::inline REVERIE_PRECISION {

/// The area under the ROC curve: the probability that an anomalous sample scores higher than a normal one; ties count
/// one half. 0.5 is chance. Throws UsageError if either list is empty, Error for a score that is NaN or infinite.
/// [Fawcett06] sec. 7
double auroc(std::span<const double> normal, std::span<const double> anomalous);
/// The same with its interval; both lists are resampled.
Estimate bootstrap_auroc(std::span<const double> normal, std::span<const double> anomalous, Index replicates,
                         std::uint64_t seed);

/// How well a threshold on scores finds the positive ones, over all thresholds.
struct PrecisionRecall {
  /// The area under the precision-recall curve, by steps: the sum of (R_n - R_{n-1}) P_n over thresholds from the
  /// highest, equal scores at once. By chance it is the share of positives.
  double average_precision;
  double best_dice;  ///< the largest 2 TP / (2 TP + FP + FN) of any threshold ...
  double threshold;  ///< ... and the lowest score that counts as positive there
};
/// `positive`: not 0 for positive scores. Throws UsageError for lists of different lengths and without a positive
/// score, Error for a score that is NaN or infinite.
/// [Davis06], [Dice45]
PrecisionRecall precision_recall(std::span<const double> scores, std::span<const std::uint8_t> positive);
/// The same with intervals, for the pixels of `images` images, one image after another. Pixels of an image are alike,
/// so whole images are resampled: those with a positive pixel, and those without. Throws UsageError if the number of
/// scores is not a multiple of `images`.
struct PrecisionRecallEstimates {
  Estimate average_precision, best_dice;
  double threshold;  ///< see PrecisionRecall
};
PrecisionRecallEstimates bootstrap_precision_recall(std::span<const double> scores,
                                                    std::span<const std::uint8_t> positive, Index images,
                                                    Index replicates, std::uint64_t seed);

/// A threshold that the score of a new normal sample exceeds with probability at most `alpha`, from the scores of n
/// others: the k-th smallest with k = ceil((n + 1)(1 - alpha)). It holds for any distribution, if the samples are
/// exchangeable and the score doesn't depend on these n. Throws UsageError for alpha outside (0, 1) and, naming the
/// number required, for too few scores; Error for a score that is NaN or infinite.
/// [Vovk05], [Angelopoulos21] sec. 1
double conformal_quantile(std::vector<double> scores, double alpha);

}  // namespace reverie::inline REVERIE_PRECISION
