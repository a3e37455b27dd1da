#pragma once
#include <string>

#include "data/state_dict.h"
#include "data/stored_set.h"
#include "diffusion/model/checkpoint.h"
#include "diffusion/evaluation/classifier.h"

namespace reverie::inline REVERIE_PRECISION {

/// What is in a data set, in some lines: kind, shape, origin, classes, range of the values.
std::string describe(const StoredSet& data);
std::string describe(const Classifier& classifier);
/// What is in a state dict; with `all`, every tensor's name, type and shape too.
std::string describe(const StateDict& dict, bool all);
/// "3 tensors (2 float32, 1 int64), 2080 numbers"
std::string in_words(const StateDict& dict);
/// What is in a checkpoint; with `all`, every tensor's name and shape too.
std::string describe(const Checkpoint& checkpoint, bool all);

}  // namespace reverie::inline REVERIE_PRECISION
