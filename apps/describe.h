#pragma once
#include <string>

#include "data/state_dict.h"
#include "data/stored_set.h"
#include "diffusion/evaluation/classifier.h"
#include "diffusion/model/checkpoint.h"

namespace reverie::inline REVERIE_PRECISION {

/// Describes a data set in a few lines: kind, shape, origin, classes, range of the values.
std::string describe(const StoredSet& data);
std::string describe(const Classifier& classifier);
/// Describes a state dict; with `all`, lists every tensor's name, type and shape.
std::string describe(const StateDict& dict, bool all);
/// Summarizes a state dict: "3 tensors (2 float32, 1 int64), 2080 numbers"
std::string in_words(const StateDict& dict);
/// Describes a checkpoint; with `all`, lists every tensor's name and shape.
std::string describe(const Checkpoint& checkpoint, bool all);

}  // namespace reverie::inline REVERIE_PRECISION
