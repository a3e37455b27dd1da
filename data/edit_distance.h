#pragma once
#include <cstddef>
#include <string>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// The number of letters to insert, delete or replace to turn a into b.
std::size_t edit_distance(const std::string& a, const std::string& b);

}  // namespace reverie::inline REVERIE_PRECISION
