// A fuzz target for each reader of files: FUZZ_READER names the one that this program calls. libFuzzer makes the
// inputs; whatever they are, a reader returns or throws an Error. tests/fuzz/run builds and runs all.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "data/idx.h"
#include "data/jpeg.h"
#include "data/nifti.h"
#include "data/npy.h"
#include "data/png.h"
#include "data/safetensors.h"
#include "data/stored_set.h"
#include "data/streamed_image_set.h"
#include "data/subset.h"
#include "data/table_file.h"
#include "diffusion/model/checkpoint.h"

namespace {

using namespace reverie;

void read_checkpoint_file(const std::string& path) { is_checkpoint(path) ? void(read_checkpoint(path)) : void(); }
void read_configuration(const std::string& path) { config_text(load_config(path), true); }
void read_idx_files(const std::string& path) { read_idx(path, path); }
void read_idx_images(const std::string& path) { read_idx(path); }
void read_image(const std::string& path) { read_png_file(path); }
void read_jpeg(const std::string& path) { decode_jpeg(picture_bytes(path), path); }
void read_volume(const std::string& path) { read_nifti(path); }
void read_array(const std::string& path) { read_npy(path); }
void read_arrays(const std::string& path) { read_npz(path); }
void read_text_table(const std::string& path) { read_table(path); }
void read_image_in_range(const std::string& path) { read_png_file(path, SampleRange{10, 4095}); }
void read_set(const std::string& path) { load_dataset(path); }
void read_streamed_set(const std::string& path) {
  const StreamedImageSet set(path, 1 << 20);
  samples_of(set, 0, std::min<Index>(set.size(), 100));
}
void read_weights(const std::string& path) {
  for (const auto& [name, tensor] : read_state_dict(path).tensors) to_tensor(tensor, name, Rounding::allow);
}

// The input as a file that exists in memory only.
class MemoryFile {
 public:
  MemoryFile() : file_(memfd_create("input", MFD_CLOEXEC)), path_("/proc/self/fd/" + std::to_string(file_)) {}
  const std::string& hold(const std::uint8_t* bytes, std::size_t count) {
    if (ftruncate(file_, 0) != 0 || pwrite(file_, bytes, count, 0) != static_cast<ssize_t>(count)) std::abort();
    return path_;
  }

 private:
  int file_;
  std::string path_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  static MemoryFile file;
  try {
    FUZZ_READER(file.hold(bytes, count));
  } catch (const Error& error) {
    const std::string text = error.what();
    if (text.empty() || printable(text) != text) std::abort();
  }
  return 0;
}
