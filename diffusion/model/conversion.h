#pragma once
#include <string>

#include "data/state_dict.h"
#include "diffusion/model/checkpoint.h"

namespace reverie::inline REVERIE_PRECISION {

/// The weights of a checkpoint as PyTorch's state dict: "raw", "ema" or "ema:RATE", as for `model_of`; with the fixed
/// tensors that published state dicts of such a network hold. The metadata are `format` ("pt", which PyTorch's
/// libraries ask for), `source` and `config`. Throws UsageError for weights that it doesn't have.
StateDict state_dict_of(const Checkpoint& checkpoint, const std::string& weights, const std::string& origin);

/// A checkpoint with the weights of a state dict: to sample from, or to go on with (step 0, moving averages that start
/// at the weights, an optimizer that knows nothing yet). Throws Error, naming `origin` and the tensor: the first that
/// the network wants and the dict lacks, that is left over, that has another shape, whose values `real` can't hold
/// (unless `rounding` allows it), or that is fixed in the network and differs.
Checkpoint checkpoint_with(const StateDict& weights, const Config& config, const DataFacts& data,
                           const std::string& origin, Rounding rounding = Rounding::refuse);

/// The tensors whose names begin with `prefix`, which is taken away. Throws UsageError, with an example of the names
/// that there are, if there is none.
StateDict without_prefix(const StateDict& dict, const std::string& prefix, const std::string& origin);

}  // namespace reverie::inline REVERIE_PRECISION
