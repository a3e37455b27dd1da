#pragma once
#include "diffusion/training/resume.h"

namespace reverie::inline REVERIE_PRECISION {

/// A trainer of the model that a configuration describes, as the program makes it.
struct ConfiguredTrainer : Trainer {
  ConfiguredTrainer(const Config& config, const Dataset& data)
      : Trainer(build_model(config, facts_of(data)), data, config.train), config(config) {}
  ConfiguredTrainer(const Config& config, const Dataset& data, const Checkpoint& saved, const std::string& origin)
      : ConfiguredTrainer(config, data) {
    resume(*this, config, saved, origin);
  }
  Checkpoint checkpoint() const { return checkpoint_of(*this, config); }

  Config config;
};

}  // namespace reverie::inline REVERIE_PRECISION
