#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "diffusion/model/checkpoint.h"

namespace reverie::inline REVERIE_PRECISION {

/// `data.memory_mb` for sets with more pixels than that.
inline constexpr Index chosen_memory_mb = 1000;

/// A configuration that was chosen for a data set, with the reason for each key.
struct ChosenConfig {
  struct Choice {
    std::string key, reason;
  };
  Config config;
  std::vector<Choice> choices;  ///< section by section; the other keys have their defaults
};

/// Chooses a configuration for training on a set, from the shape and number of its samples, its classes and captions:
/// one that gives a useful model within an hour or two on two cores. `settings` are "key=value" as in set_config and
/// come first; what depends on them follows them. With `start`, the checkpoint to fine-tune, architecture, process and
/// sampler are the checkpoint's. Throws UsageError for images that no network suits: they need another size.
ChosenConfig choose_config(const Dataset& data, const std::vector<std::string>& settings,
                           const Checkpoint* start = nullptr);

/// The chosen keys as TOML, each with its reason as a comment.
std::string chosen_text(const ChosenConfig& chosen);

/// How often the two sides of images can be halved: by how many powers of two both divide.
Index possible_halvings(Index height, Index width);

}  // namespace reverie::inline REVERIE_PRECISION
