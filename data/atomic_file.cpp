#include "data/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "data/output_file.h"
#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Waits until the content of a file, or the names in a folder, are on disk.
void flush_to_disk(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool flushed = file >= 0 && ::fsync(file) == 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  // Some file systems can't flush a folder and return EINVAL; there is nothing more to do then.
  if (!flushed && error != EINVAL) throw Error(path, ": can't be flushed to disk: ", std::strerror(error));
}

}  // namespace

void write_bytes(const std::string& path, std::span<const char> bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  int error = file < 0 ? errno : 0;
  while (error == 0 && !bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count >= 0) bytes = bytes.subspan(count);
    if (count < 0 && errno != EINTR) error = errno;
  }
  if (file >= 0 && ::close(file) != 0 && error == 0) error = errno;  // where network file systems report a full disk
  if (error != 0) throw Error(path, ": can't be written: ", std::strerror(error));
}

void write_atomically(const std::string& name, const std::function<void(const std::string&)>& write) {
  const std::string path = output_file(name);
  // The process id keeps the temporary files of two programs apart that write the same file.
  const std::string temporary = concat(path, ".tmp.", ::getpid());
  try {
    write(temporary);
    flush_to_disk(temporary);
    if (std::rename(temporary.c_str(), path.c_str()) != 0) {
      throw Error(path, ": can't be written: ", std::strerror(errno));
    }
  } catch (...) {
    std::remove(temporary.c_str());
    throw;
  }
  const auto folder = std::filesystem::path(path).parent_path();
  flush_to_disk(folder.empty() ? "." : folder.string());
}

}  // namespace reverie::inline REVERIE_PRECISION
