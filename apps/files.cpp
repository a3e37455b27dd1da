#include "apps/files.h"

#include <algorithm>
#include <filesystem>
#include <iomanip>

#include "data/atomic_file.h"
#include "data/grid.h"
#include "data/scatter.h"

namespace reverie::inline REVERIE_PRECISION {

namespace fs = std::filesystem;

std::string RunFolder::preview(Index step) const {
  std::ostringstream name;
  name << previews() << "/step-" << std::setw(6) << std::setfill('0') << step << ".png";
  return name.str();
}

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw Error(path, ": can't create the folder: ", error.message());
}

void require_writable(const std::string& path) {
  std::error_code error;
  const fs::path folder = fs::path(path).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, error)) throw Error(path, ": there is no folder ", folder.string());
  if (fs::is_directory(path, error)) throw Error(path, ": is a folder; expects the name of a file");
  probe_folder_of(path);
}

void write_text(const std::string& path, const std::string& text) { write_atomically(path, text); }

namespace {

// The number of channels to draw of images with so many.
Index drawn(Index channels) { return channels >= 3 ? 3 : 1; }

}  // namespace

Tensor drawn_channels(const Tensor& images) {
  const Index given = images.extent(3), kept = drawn(given);
  if (kept == given) return images;
  Tensor out = Tensor::uninitialized(images.shape().with(3, kept));
  for (Index pixel = 0; pixel < out.size() / kept; ++pixel) {
    std::copy_n(images.data() + pixel * given, kept, out.data() + pixel * kept);
  }
  return out;
}

Picture picture_of(const Tensor& samples) {
  return samples.rank() == 4 ? grid(drawn_channels(samples)) : scatter(samples);
}

std::string picture_note(const Shape& sample) {
  if (sample.rank() != 3 || drawn(sample[2]) == sample[2]) return "";
  return concat("; pictures show the first ", drawn(sample[2]), " of ", sample[2], " channels");
}

}  // namespace reverie::inline REVERIE_PRECISION
