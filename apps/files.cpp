#include "apps/files.h"

#include <unistd.h>

#include <cstdio>
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
  const std::string probe = concat(path, ".tmp.", ::getpid());
  try {
    write_bytes(probe, {});
  } catch (const Error&) {
    std::remove(probe.c_str());
    throw Error(path, ": can't be written; check the folder's permissions and the disk space");
  }
  std::remove(probe.c_str());
}

void write_text(const std::string& path, const std::string& text) {
  write_atomically(path, [&](const std::string& temporary) { write_bytes(temporary, text); });
}

void require_picture(const Shape& sample) {
  if (sample.rank() == 3 && sample[2] != 1 && sample[2] != 3) {
    throw UsageError("images of ", sample[2], " channels can't be drawn; expects 1 or 3");
  }
}

Picture picture_of(const Tensor& samples) { return samples.rank() == 4 ? grid(samples) : scatter(samples); }

}  // namespace reverie::inline REVERIE_PRECISION
