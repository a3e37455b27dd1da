#pragma once
#include <string>

#include "data/dataset.h"
#include "diffusion/checkpoint.h"
#include "diffusion/classifier.h"

namespace reverie::inline REVERIE_PRECISION {

/// What is in a data set, in some lines: kind, shape, origin, classes, range of the values.
std::string describe(const Dataset& data);
std::string describe(const Classifier& classifier);
/// What is in a checkpoint; with `all`, every tensor's name and shape too.
std::string describe(const Checkpoint& checkpoint, bool all);

}  // namespace reverie::inline REVERIE_PRECISION
