#include "data/hdf5_pieces.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Removes a file's name when it goes out of scope.
struct Unlink {
  const std::string& name;
  ~Unlink() { ::unlink(name.c_str()); }
};

// Writes all bytes at a position of the file; returns errno, or 0.
int write_at(int file, const char* bytes, std::size_t count, Index position) {
  while (count > 0) {
    const ssize_t written = ::pwrite(file, bytes, count, position);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : EIO;
    bytes += written, position += written, count -= static_cast<std::size_t>(written);
  }
  return 0;
}

// Copies [from, to) of one file to the same place in another; returns errno, or 0.
int copy(int source, int target, Index from, Index to) {
  std::vector<char> bytes(static_cast<std::size_t>(to - from));
  if (::pread(source, bytes.data(), bytes.size(), from) != to - from) return errno != 0 ? errno : EIO;
  return write_at(target, bytes.data(), bytes.size(), from);
}

}  // namespace

// HDF5 doesn't survive a full disk. So the room is reserved first; then HDF5 makes another file, without a name, in
// which the datasets are holes that take no space; what lies around them is copied, and the values are written without
// HDF5.
Hdf5Pieces::Hdf5Pieces(std::string path, const std::map<std::string, Shape>& datasets,
                       const std::function<void(Hdf5File&)>& others)
    : path_(std::move(path)) {
  Index values = 0;
  for (const auto& [name, shape] : datasets) values += shape.size() * static_cast<Index>(sizeof(real));
  file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  const auto require = [&](int error) {
    if (error == 0) return;
    throw Error(path_, ": can't be written: ", std::strerror(error), "; it takes ", values / 1'000'000 + 1, " MB");
  };
  require(file_.number() < 0 ? errno : ::posix_fallocate(file_.number(), 0, values));

  std::string name = (std::filesystem::temp_directory_path() / "reverie-XXXXXX").string();
  const Descriptor sparse(::mkstemp(name.data()));
  if (sparse.number() < 0) throw Error(name, ": can't be made: ", std::strerror(errno));
  std::vector<std::pair<Index, Index>> holes;
  {
    Hdf5File file = [&] {
      const Unlink unlink{name};
      constexpr Index enough = 1 << 16;  // for all that isn't a hole
      if (const int error = ::posix_fallocate(sparse.number(), 0, enough); error != 0)
        throw Error(name, ": can't be written: ", std::strerror(error));
      return Hdf5File::create_sparse(path_, name);
    }();
    others(file);
    for (const auto& [dataset, shape] : datasets) {
      const Index position = file.reserve_tensor(dataset, shape);
      places_[dataset] = {position, shape.size()};
      holes.emplace_back(position, position + shape.size() * static_cast<Index>(sizeof(real)));
    }
  }
  struct stat status {};
  ::fstat(sparse.number(), &status);
  const Index size = status.st_size;
  bytes_ = static_cast<double>(size);
  std::sort(holes.begin(), holes.end());
  if (holes.empty() || holes.back().second > size) throw Error(path_, ": HDF5 can't build the file");
  require(::posix_fallocate(file_.number(), 0, size));
  Index from = 0;
  holes.emplace_back(size, size);
  for (const auto& [first, last] : holes) {
    require(copy(sparse.number(), file_.number(), from, first));
    from = last;
  }
}

void Hdf5Pieces::write(const std::string& dataset, Index first, const Tensor& values) const {
  const auto found = places_.find(dataset);
  if (found == places_.end() || first < 0 || first + values.size() > found->second.size)
    throw Error(path_, ": `", dataset, "` has no elements ", first, " to ", first + values.size() - 1);
  constexpr Index width = sizeof(real);
  const int error = write_at(file_.number(), reinterpret_cast<const char*>(values.data()),
                             static_cast<std::size_t>(values.size() * width), found->second.position + first * width);
  if (error != 0) throw Error(path_, ": can't be written: ", std::strerror(error));
}

}  // namespace reverie::inline REVERIE_PRECISION
