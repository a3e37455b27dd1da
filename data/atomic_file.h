#pragma once
#include <functional>
#include <span>
#include <string>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Writes a file in one go, in place of any that was there. Throws Error with the system's reason if that fails, as it
/// does on a full disk; part of the file may be there then.
void write_bytes(const std::string& path, std::span<const char> bytes);

/// Writes a file so that `path` holds either the old content or the whole of the new one, whatever happens in between:
/// `write` fills a file beside it (the name that it is given), which is flushed to disk and then renamed.
/// On any failure the temporary file is removed, the old file stays, and the exception goes on.
void write_atomically(const std::string& path, const std::function<void(const std::string& temporary_path)>& write);

}  // namespace reverie::inline REVERIE_PRECISION
