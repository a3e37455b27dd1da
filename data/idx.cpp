#include "data/idx.h"

#include <algorithm>

#include "data/gzip_file.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Idx {
  std::vector<Index> extents;
  std::vector<std::uint8_t> bytes;
};

// Magic 0x0000TTRR: type TT (8: unsigned byte), rank RR; then RR extents of 4 bytes; then the values.
Idx read_idx_file(const std::string& path, std::uint8_t rank, const char* what) {
  GzipFile file(path);
  const auto header = file.read(4 + 4 * rank);
  const std::uint8_t magic[] = {0, 0, 8, rank};
  if (header.size() < 4 || !std::equal(magic, magic + 4, header.begin())) {
    throw Error(path, ": is not an IDX file of ", what, ": it does not begin with 00 00 08 0", int{rank});
  }
  if (std::ssize(header) < 4 + 4 * rank) throw Error(path, ": is truncated: it ends within the header");
  Idx idx;
  double size = 1;
  for (std::size_t i = 4; i < header.size(); i += 4) {
    idx.extents.push_back((Index{header[i]} << 24) | (header[i + 1] << 16) | (header[i + 2] << 8) | header[i + 3]);
    size *= idx.extents.back();
  }
  if (!believable(size, static_cast<double>(file.stored_bytes()))) {
    throw Error(path, ": is damaged or truncated: the header announces ", size, " bytes, the file has ",
                file.stored_bytes());
  }
  if (size == 0) throw Error(path, ": has no ", what, ": an extent is 0");
  const Index expected = static_cast<Index>(size);
  idx.bytes = file.read(expected);
  if (std::ssize(idx.bytes) < expected) {
    throw Error(path, ": is truncated: ", Shape(idx.extents), " takes ", expected, " bytes, there are ",
                idx.bytes.size());
  }
  if (!file.read(1).empty())
    throw Error(path, ": is damaged: more bytes than the ", expected, " of ", Shape(idx.extents));
  return idx;
}

}  // namespace

ImageSet read_idx(const std::string& images_path, const std::string& labels_path, std::vector<std::string> class_names,
                  Index first) {
  Idx images = read_idx_file(images_path, 3, "images");
  ImageSet set;
  set.count = std::min(images.extents[0], first);
  set.height = images.extents[1];
  set.width = images.extents[2];
  set.channels = 1;
  set.images = std::move(images.bytes);
  set.images.resize(set.count * set.height * set.width);
  if (!labels_path.empty()) {
    const Idx labels = read_idx_file(labels_path, 1, "labels");
    if (labels.extents[0] != images.extents[0]) {
      throw Error(labels_path, ": has ", labels.extents[0], " labels, ", images_path, " has ", images.extents[0],
                  " images");
    }
    set.labels.assign(labels.bytes.begin(), labels.bytes.begin() + set.count);
    if (class_names.empty() && !labels.bytes.empty()) {
      const int last = *std::max_element(labels.bytes.begin(), labels.bytes.end());
      for (int i = 0; i <= last; ++i) class_names.push_back(std::to_string(i));
    }
    set.class_names = std::move(class_names);
  } else if (!class_names.empty()) {
    throw UsageError(images_path, ": class names are given, but no labels");
  }
  set.validate(images_path);
  return set;
}

}  // namespace reverie::inline REVERIE_PRECISION
