#include "data/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iomanip>
#include <random>

#include "data/output_file.h"
#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = ".reverie-", suffix = ".tmp";

// Waits until the content of a file, or the names in a folder, are on disk.
void flush_to_disk(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool flushed = file >= 0 && ::fsync(file) == 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  // Some file systems can't flush a folder and return EINVAL; there is nothing more to do then.
  if (!flushed && error != EINVAL) throw Error(path, ": can't be flushed to disk: ", std::strerror(error));
}

fs::path folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

std::string random_name() {
  std::random_device device;
  const std::uint64_t number = (std::uint64_t{device()} << 32) | device();
  return concat(prefix, std::hex, std::setfill('0'), std::setw(16), number, suffix);
}

// Removes what killed programs left in a folder: temporary files that nobody has locked.
void remove_stale(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    const int file = ::open(entry->path().c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) continue;
    struct stat found {};
    if (::fstat(file, &found) == 0 && S_ISREG(found.st_mode) && ::flock(file, LOCK_EX | LOCK_NB) == 0) {
      ::unlink(entry->path().c_str());
    }
    ::close(file);
  }
}

/// A new file beside `path`, locked; removed at the end unless it was renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) {
    remove_stale(folder_of(path));
    while (file_ < 0) {
      name_ = (fs::path(path).parent_path() / random_name()).string();
      file_ = ::open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
      if (file_ < 0 && errno == EEXIST) continue;
      if (file_ < 0) throw Error(path, ": can't be written: ", std::strerror(errno));
      ::flock(file_, LOCK_EX);  // where locks don't exist, nobody can take it for stale either
      struct stat made {};
      if (::fstat(file_, &made) == 0 && made.st_nlink > 0) continue;
      ::close(file_);  // another program removed it just before it was locked
      file_ = -1;
    }
  }
  TemporaryFile(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!renamed_) ::unlink(name_.c_str());
    ::close(file_);
  }

  const std::string& name() const { return name_; }
  void rename_to(const std::string& path) {
    if (std::rename(name_.c_str(), path.c_str()) != 0) {
      throw Error(path, ": can't be written: ", std::strerror(errno));
    }
    renamed_ = true;
  }

 private:
  std::string name_;
  int file_ = -1;
  bool renamed_ = false;
};

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
  TemporaryFile temporary(path);
  try {
    write(temporary.name());
    flush_to_disk(temporary.name());
  } catch (const Error& error) {
    std::string what = error.what();
    const auto at = what.find(temporary.name());
    if (at == std::string::npos) throw;
    throw Error(what.replace(at, temporary.name().size(), path));
  }
  temporary.rename_to(path);
  flush_to_disk(folder_of(path).string());
}

void probe_folder_of(const std::string& path) { const TemporaryFile temporary(path); }

}  // namespace reverie::inline REVERIE_PRECISION
