// Checks the parts of an HDF5 file that hold strings of variable length. They have no checksum, and HDF5 trusts their
// sizes: a damaged one makes it read and write outside its memory, or loop for ever.
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>

#include "data/hdf5_objects.h"
#include "data/input_file.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

template <class T>
T number_at(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// A global heap collection: "GCOL", version 1, 3 bytes, its size (8); then objects, which have a header of 16 bytes:
// index (2), references (2), 4 bytes, size (8); then data, padded to 8. The object 0 is the free space, header
// included. https://docs.hdfgroup.org/hdf5/develop/_f_m_t3.html sec. III.E
bool is_sound(std::string_view heap) {
  constexpr std::size_t header = 16;
  std::set<std::uint16_t> seen;
  for (std::size_t at = header; heap.size() - at >= header;) {
    const auto index = number_at<std::uint16_t>(heap, at);
    const auto size = number_at<std::uint64_t>(heap, at + 8);
    const std::uint64_t left = heap.size() - at;
    if (!seen.insert(index).second || size > left) return false;
    const std::uint64_t taken = index == 0 ? size : header + (size + 7) / 8 * 8;
    if (taken < header || taken > left) return false;
    at += taken;
  }
  return true;
}

}  // namespace

void require_sound_heaps(const Objects& objects) {
  using namespace std::string_view_literals;
  const InputFile file(objects.path);
  if (file.size() == 0) return;
  void* const memory = ::mmap(nullptr, file.size(), PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (memory == MAP_FAILED) throw Error(objects.path, ": can't be read: ", std::strerror(errno));
  const std::string_view bytes(static_cast<const char*>(memory), file.size());
  bool sound = true;
  for (auto at = bytes.find("GCOL\1"sv); sound && at != bytes.npos; at = bytes.find("GCOL\1"sv, at + 1)) {
    const std::string_view rest = bytes.substr(at);
    const auto size = rest.size() < 16 ? 0 : number_at<std::uint64_t>(rest, 8);
    sound = size >= 16 && size <= rest.size() && is_sound(rest.substr(0, size));
  }
  ::munmap(memory, file.size());
  if (!sound) throw Error(objects.path, ": is damaged where it has its strings of variable length");
}

}  // namespace reverie::inline REVERIE_PRECISION
