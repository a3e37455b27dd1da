#pragma once
#include <memory>
#include <vector>

#include "data/input_file.h"
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// A file of bytes to read, gzipped or not: zlib reads both.
class GzipFile {
 public:
  /// Throws Error for a file that can't be read.
  explicit GzipFile(const std::string& path);
  std::uint64_t stored_bytes() const { return input_.size(); }
  /// Reads up to `count` bytes; fewer at the end of the file. Throws Error for damaged data.
  std::vector<std::uint8_t> read(Index count);

 private:
  InputFile input_;
  std::string path_;
  std::unique_ptr<void, void (*)(void*)> file_;
};

}  // namespace reverie::inline REVERIE_PRECISION
