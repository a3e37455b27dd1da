#pragma once
#include <map>
#include <string>

#include "diffusion/model/model.h"

namespace reverie::inline REVERIE_PRECISION {

using TensorMap = std::map<std::string, Tensor>;

/// Everything needed to go on with a training run as if it had never stopped. Randomness and the order of the data are
/// functions of the seed and the step, so they need no state here. One HDF5 file:
///   attributes `format`, `version`, `step`, `updates`, `config` (TOML), `sample_shape`, `class_names`;
///   groups of tensors, named as in PyTorch: `weights` (a state dict as it is), `ema/RATE`, `optimizer/m`,
///   `optimizer/v`, `timestep_sampler` (what it has learned from losses).
struct Checkpoint {
  static constexpr Index version = 1;
  Config config;
  DataFacts data;
  Index step = 0;                            ///< training steps done
  Index updates = 0;                         ///< of the optimizer
  std::map<std::string, TensorMap> tensors;  ///< by group

  /// The tensors of a group in the order of the store's parameters. Throws Error, naming `origin` and the first name
  /// that is missing, left over or of another shape.
  TensorList in_order(const std::string& group, const ParameterStore& parameters, const std::string& origin) const;
};

/// The group that holds the moving average of this rate.
std::string ema_group(double rate);
/// The tensors of `map` (the group of that name in `origin`) in the order of the store's parameters. Throws Error,
/// naming `origin` and the first name that is missing, left over or of another shape.
TensorList in_order(const TensorMap& map, const std::string& group, const ParameterStore& parameters,
                    const std::string& origin);
TensorMap named(const ParameterStore& parameters, const TensorList& tensors);

/// Writes beside, flushes to disk, renames: the file is always a whole checkpoint.
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
