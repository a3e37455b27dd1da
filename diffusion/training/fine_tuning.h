#pragma once
#include <string>
#include <vector>

#include "diffusion/model/checkpoint.h"

namespace reverie::inline REVERIE_PRECISION {

/// Gives a configuration the `[model]` of a checkpoint, whose weights a new run starts from, except for the keys in
/// `settings` ("key=value") and for class_conditional and text_conditional, which depend on the new data.
/// Attention stays at the same levels of the network, so its heights change with the images'. `sample`: the shape of
/// the new samples.
void take_architecture(Config& config, const Checkpoint& start, const Shape& sample,
                       const std::vector<std::string>& settings);

/// Starts a new model from the weights of a checkpoint ("ema", "raw" or "ema:RATE", as in model_of). Parameters of the
/// same name and shape are copied. Embeddings of classes are matched by the classes' names, those of tokens by their
/// words, those of positions in a caption by number. Other classes and words, the first and last layer if the number of
/// channels differs, and what only the new model has, keep their random start. Returns a line on each of these, for the
/// user. Throws UsageError, naming `origin` and the key, if the networks differ in anything else.
std::vector<std::string> start_from(DiffusionModel& model, const Config& config, const Checkpoint& start,
                                    const std::string& weights, const std::string& origin);

}  // namespace reverie::inline REVERIE_PRECISION
