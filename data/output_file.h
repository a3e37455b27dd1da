#pragma once
#include <string>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// The file that writing to `path` creates or replaces: `path` itself, or what it links to if it is a symbolic link.
/// Throws Error unless its folder exists, and for an existing folder, device, pipe, socket or read-only file, which
/// must not be replaced.
std::string output_file(const std::string& path);

}  // namespace reverie::inline REVERIE_PRECISION
