#pragma once
#include <functional>
#include <span>
#include <string>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Writes a whole file, replacing any of that name. Throws Error with the system's reason if that fails (a full disk);
/// then part of the file may remain.
void write_bytes(const std::string& path, std::span<const char> bytes);

/// Writes the file `output_file(path)` so that at any moment it holds either the old content or all of the new content:
/// `write` fills a temporary file in the same folder, which is flushed to disk and then renamed. On failure, removes
/// the temporary file, leaves the old one, and rethrows the exception.
void write_atomically(const std::string& path, const std::function<void(const std::string& temporary_path)>& write);

}  // namespace reverie::inline REVERIE_PRECISION
