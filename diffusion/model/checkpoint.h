#pragma once
#include <map>
#include <string>

#include "diffusion/model/config.h"

namespace reverie::inline REVERIE_PRECISION {

using TensorMap = std::map<std::string, Tensor>;

/// What a training run has changed so far: everything that it needs to continue besides its model and its options.
/// Randomness and the order of the data are functions of the seed and the step, so they have no state.
struct TrainingState {
  Index step = 0;     ///< training steps done
  Index updates = 0;  ///< of the optimizer
  /// By group, named as in PyTorch: `weights` (a state dict), `ema/RATE`, `optimizer/m`, `optimizer/v`,
  /// `timestep_sampler` (what it has learned from losses).
  std::map<std::string, TensorMap> tensors;

  /// The tensors of a group in the order of the store's parameters. Throws Error, naming `origin` and the first name
  /// that is missing, left over or of another shape.
  TensorList in_order(const std::string& group, const ParameterStore& parameters, const std::string& origin) const;
};

/// A run that can be continued as if it had never stopped. One HDF5 file with the attributes `format`, `version`,
/// `step`, `updates`, `config` (TOML), `sample_shape`, `class_names`, and the groups of tensors.
struct Checkpoint {
  static constexpr Index version = 1;
  Config config;
  DataFacts data;
  TrainingState state;
};

/// The group that holds the moving average of this rate.
std::string ema_group(double rate);
/// The tensors of `map` (the group of that name in `origin`) in the order of the store's parameters. Throws Error,
/// naming `origin` and the first name that is missing, left over or of another shape.
TensorList in_order(const TensorMap& map, const std::string& group, const ParameterStore& parameters,
                    const std::string& origin);
TensorMap named(const ParameterStore& parameters, const TensorList& tensors);

/// Writes to a temporary file beside it, flushes to disk, renames: the file is always a whole checkpoint.
void write_checkpoint(const std::string& path, const Checkpoint& checkpoint);
/// Whether a file is a checkpoint of reverie's, of any version.
bool is_checkpoint(const std::string& path);
/// Throws Error for a file that is missing, truncated, no checkpoint, or of another version.
Checkpoint read_checkpoint(const std::string& path);

/// The model of a checkpoint with the weights asked for: "raw", "ema" (the first moving average of the configuration)
/// or "ema:RATE". Throws UsageError for weights that it doesn't have, naming `origin`.
DiffusionModel model_of(const Checkpoint& checkpoint, const std::string& weights, const std::string& origin);
inline DiffusionModel load_model(const std::string& path, const std::string& weights = "ema") {
  return model_of(read_checkpoint(path), weights, path);
}

}  // namespace reverie::inline REVERIE_PRECISION
