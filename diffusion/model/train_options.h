#pragma once
#include <string>
#include <vector>

#include "data/augmentation.h"
#include "diffusion/tables/options.h"
#include "nn/optimizer.h"

namespace reverie::inline REVERIE_PRECISION {

/// How to train, as in `[train]` of a configuration.
struct TrainOptions {
  Index steps = 1000, batch_size = 64;
  Index shard_size = 0;    ///< samples per task; 0: as many as `samples_at_once` gives for eight images
  Index accumulators = 4;  ///< gradient accumulators; at most this many tasks run at once
  Index seed = 0;
  Augmentation augmentation;  ///< random changes of the images
  OptimizerOptions optimizer;
  LearningRate learning_rate;
  double clip_norm = 1;
  std::vector<double> ema_rates = {0.999};
  bool ema_warmup = true;
  double label_dropout = 0;
  double low_resolution_noise = 0;  ///< standard deviation of the noise put into reduced pictures [Ho22b] sec. 2
  std::string timestep_sampler = "uniform";
  OptionValues timestep_sampler_parameters;
  Index log_every = 50, validate_every = 250, validation_count = 256, checkpoint_every = 500, keep_every = 0,
        preview_every = 1000, preview_count = 16;
};

}  // namespace reverie::inline REVERIE_PRECISION
