#include "data/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "data/room.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe (FIFO)";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
  struct stat facts {};
  const auto require = [&](bool succeeded) {
    if (!succeeded) throw Error(path, ": can't be read: ", std::strerror(errno));
    if (!S_ISREG(facts.st_mode)) throw Error(path, ": is ", kind_of(facts.st_mode), ", expected a file");
  };
  require(::stat(path.c_str(), &facts) == 0);  // before it is opened, because opening a device may have effects
  file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  require(file_ >= 0);
  try {
    require(::fstat(file_, &facts) == 0);  // another file may have taken its place
  } catch (...) {
    ::close(file_);
    throw;
  }
  size_ = static_cast<std::uint64_t>(facts.st_size);
}

InputFile::~InputFile() { ::close(file_); }

std::vector<char> InputFile::read(std::uint64_t from, std::uint64_t count) const {
  std::vector<char> bytes = room_for<char>(count, path_ + ": a part of it");
  for (std::uint64_t done = 0; done < count;) {
    const ssize_t got = ::pread(file_, bytes.data() + done, count - done, static_cast<off_t>(from + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(path_, ": can't be read: ", std::strerror(errno));
    if (got == 0) throw Error(path_, ": can't be read to its end: it became shorter");
    done += static_cast<std::uint64_t>(got);
  }
  return bytes;
}

std::string InputFile::text(std::uint64_t most) const {
  if (size_ > most) throw Error(path_, ": has ", size_, " bytes, the maximum is ", most);
  const std::vector<char> bytes = read(0, size_);
  return {bytes.begin(), bytes.end()};
}

}  // namespace reverie::inline REVERIE_PRECISION
