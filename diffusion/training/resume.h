#pragma once
#include <string>

#include "diffusion/training/trainer.h"

namespace reverie::inline REVERIE_PRECISION {

/// Continues the run of a checkpoint: `trainer` was just built from `config` and the same data. The configuration may
/// differ from the checkpoint's in `train.steps` and in logging. Throws UsageError, naming the key, for any other
/// difference, and for data with another shape or other classes; `origin` names the checkpoint.
void resume(Trainer& trainer, const Config& config, const Checkpoint& checkpoint, const std::string& origin);

/// The checkpoint of a run. Throws Error, naming the training step and the parameter, if a weight is not finite.
Checkpoint checkpoint_of(const Trainer& trainer, const Config& config);

}  // namespace reverie::inline REVERIE_PRECISION
