#pragma once
#include <functional>
#include <string>
#include <vector>

#include "apps/files.h"
#include "diffusion/evaluation/classifier.h"
#include "diffusion/model/checkpoint.h"

namespace reverie::inline REVERIE_PRECISION {

/// Each moving average of a run's weights, and the raw weights, by the samples that they draw.
struct AveragesComparison {
  struct Row {
    std::string weights;  ///< "ema:0.999" or "raw"
    double distance;      ///< of samples to held-out data; smaller is better
    double validation_loss;
    double nearest_sample;  ///< median distance to the nearest training sample
  };
  Index step = 0, count = 0;  ///< of the checkpoint; samples of each
  std::string measure;        ///< what `distance` is
  std::vector<Row> rows;

  const Row& best() const;
  std::string json() const;  ///< for the report's page
};

/// Draws `count` samples with each of the weights in a run's checkpoint, from the same noise, and compares them with as
/// many held-out samples: by the Frechet distance of a classifier's features, of points, or, for images without a
/// classifier (null), of the pixels of reduced images. Throws Error for a run without checkpoint or data, UsageError
/// for one without held-out data.
AveragesComparison compare_averages(const RunFolder& run, Index count, const Classifier* classifier,
                                    const std::function<bool(double)>& progress);

}  // namespace reverie::inline REVERIE_PRECISION
