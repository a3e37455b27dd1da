#pragma once
#include <string>
#include <vector>

#include "diffusion/model/config.h"

namespace reverie::inline REVERIE_PRECISION {

/// The key that an unknown key most probably stands for: it may be misspelled, in the wrong section or without one,
/// abbreviated by the initials or beginnings of words (lr, batch, n_heads), or share a word (max_steps, grad_clip).
std::string nearest_key(const std::string& unknown, const std::vector<ConfigField>& fields);

}  // namespace reverie::inline REVERIE_PRECISION
