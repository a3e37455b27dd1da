#pragma once
#include <map>
#include <string>

#include "diffusion/model/config.h"

namespace reverie::inline REVERIE_PRECISION {

using TensorMap = std::map<std::string, Tensor>;

/// The state of a training run: everything it needs to continue besides its model and its options. Randomness and the
/// order of the data are functions of the seed and the training step, so they have no state.
struct TrainingState {
  Index step = 0;     ///< training steps done
  Index updates = 0;  ///< optimizer updates
  std::string data;   ///< the fingerprint of the data (data/fingerprint.h); empty if it is unknown
  /// Tensors by group, named as in PyTorch: `weights` (a state dict), `ema/RATE`, `optimizer/m`, `optimizer/v`,
  /// `timestep_sampler` (what it has learned from losses).
  std::map<std::string, TensorMap> tensors;

  /// The tensors of a group in the order of the store's parameters. Throws Error, naming `origin` and the first tensor
  /// that is missing, unexpected or of another shape.
  TensorList in_order(const std::string& group, const ParameterStore& parameters, const std::string& origin) const;
};

/// A snapshot from which a run continues as if it had never stopped. One HDF5 file with the attributes `format`,
/// `version`, `step`, `updates`, `data`, `config` (TOML), `sample_shape`, `class_names`, attributes `log.*`, the
/// groups of tensors, and, for captions, the dataset `words`. `data`, `log.*` and `words` may be missing. A model built
/// from parts of your own has no configuration: leave `config` as it is, and continue with
/// `trainer.restore(read_checkpoint(path).state, path)`.
struct Checkpoint {
  static constexpr Index version = 1;
  Config config;
  DataFacts data;
  TrainingState state;
  std::map<std::string, double> log = {};  ///< the caller's sums for a line of metrics that is not complete yet
};

/// The name of the group with the exponential moving average (EMA) of this rate: "ema/0.999".
std::string ema_group(double rate);
/// The tensors of `map` (the group of that name in `origin`) in the order of the store's parameters. Throws Error,
/// naming `origin` and the first tensor that is missing, unexpected or of another shape.
TensorList in_order(const TensorMap& map, const std::string& group, const ParameterStore& parameters,
                    const std::string& origin);
TensorMap named(const ParameterStore& parameters, const TensorList& tensors);

/// Writes a temporary file next to it, flushes it to disk, and renames it, so the file is always a complete checkpoint.
void write_checkpoint(const std::string& path, const Checkpoint& checkpoint);
/// Returns whether a file is a checkpoint of reverie, of any version.
bool is_checkpoint(const std::string& path);
/// Throws Error for a file that is missing, truncated, not a checkpoint, or of another version.
Checkpoint read_checkpoint(const std::string& path);

/// Builds the model of a checkpoint with the given weights: "raw", "ema" (the first moving average of the
/// configuration) or "ema:RATE". Throws UsageError, naming `origin`, for weights that the checkpoint lacks.
DiffusionModel model_of(const Checkpoint& checkpoint, const std::string& weights, const std::string& origin);
inline DiffusionModel load_model(const std::string& path, const std::string& weights = "ema") {
  return model_of(read_checkpoint(path), weights, path);
}

}  // namespace reverie::inline REVERIE_PRECISION
