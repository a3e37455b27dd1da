#include "data/output_file.h"

#include <unistd.h>

#include <filesystem>

#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

namespace fs = std::filesystem;

// Follows symbolic links, also those to a file that doesn't exist yet.
fs::path without_links(fs::path path) {
  std::error_code error;
  while (fs::is_symlink(fs::symlink_status(path, error))) path = path.parent_path() / fs::read_symlink(path);
  return path;
}

}  // namespace

std::string output_file(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);  // of what a link points to
  if (status.type() == fs::file_type::none) throw Error(path, ": can't be written: ", error.message());
  if (fs::is_directory(status)) throw Error(path, ": is a folder; expects the name of a file");
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw Error(path, ": is a device, pipe or socket; expects the name of a file");
  }
  const std::string file = without_links(path).string();
  const fs::path folder = fs::path(file).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, error)) {
    throw Error(path, ": there is no folder ", folder.string());
  }
  if (fs::exists(status) && ::access(file.c_str(), W_OK) != 0) {
    throw Error(path, ": is read-only; choose another name, or make it writable");
  }
  return file;
}

}  // namespace reverie::inline REVERIE_PRECISION
