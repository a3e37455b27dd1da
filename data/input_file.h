#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {

/// A regular file, open for reading. Every reader of files goes through it, so that none blocks on a FIFO or reads a
/// device.
class InputFile {
 public:
  /// Throws Error if the path names nothing, a folder, a FIFO, a socket or a device, or if it can't be read.
  explicit InputFile(const std::string& path);
  InputFile(const InputFile&) = delete;
  ~InputFile();

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }  ///< bytes
  int descriptor() const { return file_; }
  /// Reads `count` bytes from the offset `from`. Throws Error if the file has fewer.
  std::vector<char> read(std::uint64_t from, std::uint64_t count) const;
  /// Reads all bytes. Throws Error for a file of more than `most` bytes.
  std::string text(std::uint64_t most) const;

 private:
  std::string path_;
  int file_ = -1;
  std::uint64_t size_ = 0;
};

/// Whether `stored` bytes can hold `bytes` of data: deflate, the compression of PNG, gzip and most HDF5 files, makes at
/// most 1032 bytes of one. 16 MiB are always believed. Readers check this before they allocate memory, so that a small
/// file can't claim a large one.
inline bool believable(double bytes, double stored) {
  constexpr double deflate_ratio = 1032, always = 1 << 24;
  return bytes <= deflate_ratio * stored + always;
}

}  // namespace reverie::inline REVERIE_PRECISION
