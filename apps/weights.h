#pragma once
#include <string>

#include "apps/cli.h"
#include "diffusion/model/checkpoint.h"

namespace reverie::inline REVERIE_PRECISION {

/// A model and its origin.
struct LoadedModel {
  DiffusionModel model;
  Config config;
  std::string origin;  ///< "runs/demo/checkpoint.h5 (step 1500, weights ema:0.995)"
};

/// Loads a model. `weights` as for `model_of`; empty: the first moving average, or the raw weights if there is none.
LoadedModel load(const std::string& checkpoint_path, std::string weights);

/// Adds --checkpoint FILE and --weights W.
void add_model(CLI::App* command, std::string& checkpoint_path, std::string& weights);

}  // namespace reverie::inline REVERIE_PRECISION
