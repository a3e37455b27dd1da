#include "data/gzip_file.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace reverie::inline REVERIE_PRECISION {

GzipFile::GzipFile(const std::string& path)
    : input_(path),
      path_(path),
      file_(gzdopen(::dup(input_.descriptor()), "rb"), [](void* file) { gzclose(static_cast<gzFile>(file)); }) {
  if (!file_) throw Error(path, ": can't be read: ", std::strerror(errno));
}

std::vector<std::uint8_t> GzipFile::read(Index count) {
  const auto file = static_cast<gzFile>(file_.get());
  std::vector<std::uint8_t> bytes;
  while (std::ssize(bytes) < count) {  // in chunks, because the count may come from a damaged file
    const Index chunk = std::min<Index>(count - std::ssize(bytes), 1 << 24);
    try {
      bytes.resize(bytes.size() + chunk);
    } catch (const std::bad_alloc&) {
      throw Error(path_, ": needs ", megabytes(static_cast<double>(count)), ", more memory than there is");
    }
    const int got = gzread(file, bytes.data() + bytes.size() - chunk, static_cast<unsigned>(chunk));
    int status = Z_OK;
    const char* why = gzerror(file, &status);
    if (status == Z_ERRNO) throw Error(path_, ": can't be read: ", std::strerror(errno));
    if (got < 0 && status != Z_BUF_ERROR) throw Error(path_, ": is damaged: ", why);
    bytes.resize(bytes.size() - chunk + std::max(got, 0));
    if (got == 0 && status == Z_BUF_ERROR && bytes.empty())  // a caller would take this for the end
      throw Error(path_, ": is truncated: its compressed data end early");
    if (got < chunk) break;
  }
  return bytes;
}

}  // namespace reverie::inline REVERIE_PRECISION
