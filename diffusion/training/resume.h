#pragma once
#include <string>

#include "diffusion/training/trainer.h"

namespace reverie::inline REVERIE_PRECISION {

/// A key whose value differs between two configurations; the values are TOML.
struct ConfigChange {
  std::string key, before, now;
};

/// Lists what differs from `before` to `now`, for data of this shape: defaults that depend on it are filled in first.
std::vector<ConfigChange> changes(const Config& before, const Config& now, const Shape& sample);

/// Continues the run of a checkpoint: `trainer` was just built from `config` and the same data, wherever it lies now.
/// The configuration may differ from the checkpoint's in `train.steps`, `train.learning_rate`, `train.clip_norm`, in
/// logging and in sampling. Throws UsageError, naming the key, for any other difference, for fewer steps than were
/// done, and for other data; `origin` names the checkpoint.
void resume(Trainer& trainer, const Config& config, const Checkpoint& checkpoint, const std::string& origin);

/// The checkpoint of a run. Throws Error, naming the training step and the parameter, if a weight is not finite.
Checkpoint checkpoint_of(const Trainer& trainer, const Config& config);

}  // namespace reverie::inline REVERIE_PRECISION
