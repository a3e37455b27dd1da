#pragma once
#include <string>

#include "data/state_dict.h"
#include "diffusion/model/checkpoint.h"

namespace reverie::inline REVERIE_PRECISION {

/// Converts the weights of a checkpoint to a PyTorch state dict: "raw", "ema" or "ema:RATE", as for `model_of`, plus
/// the fixed tensors in published state dicts of such a network. The metadata are `format` ("pt", which PyTorch's
/// libraries require), `source` and `config`. Throws UsageError for weights that the checkpoint lacks.
StateDict state_dict_of(const Checkpoint& checkpoint, const std::string& weights, const std::string& origin);

/// Makes a checkpoint from a state dict, for sampling or for further training (from training step 0, with moving
/// averages equal to the weights and a fresh optimizer). Throws Error, naming `origin` and the first tensor that is
/// missing, unexpected, of another shape, has values that `real` can't represent (unless `rounding` allows it), or is
/// fixed in the network and differs.
Checkpoint checkpoint_with(const StateDict& weights, const Config& config, const DataFacts& data,
                           const std::string& origin, Rounding rounding = Rounding::refuse);

/// Selects the tensors whose names begin with `prefix`, and removes it. Throws UsageError with an example name if there
/// are none.
StateDict without_prefix(const StateDict& dict, const std::string& prefix, const std::string& origin);

}  // namespace reverie::inline REVERIE_PRECISION
