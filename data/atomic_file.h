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
/// the temporary file, leaves the old one, and rethrows the exception; an Error names `path`, not the temporary file.
/// Every file of this program but the growing metrics.jsonl is written here.
///
/// A temporary file is new, has a random name (".reverie-0123456789abcdef.tmp") and is locked while it is written, so
/// programs that write into one folder don't meet, and a planted link is not followed. What a killed program left is
/// not locked; the next call for a file in that folder removes it.
void write_atomically(const std::string& path, const std::function<void(const std::string& temporary_path)>& write);
inline void write_atomically(const std::string& path, std::span<const char> bytes) {
  write_atomically(path, [&](const std::string& temporary_path) { write_bytes(temporary_path, bytes); });
}

/// Throws Error with the system's reason unless a temporary file can be made in the folder of `path`.
void probe_folder_of(const std::string& path);

}  // namespace reverie::inline REVERIE_PRECISION
