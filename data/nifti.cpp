#include "data/nifti.h"

#include <nifti1_io.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "data/gzip_file.h"
#include "data/room.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Reads the header. libnifti's own reader aborts on no bad file, but prints to standard error, replaces NaN by 0, and
// allocates what the header claims; so it serves for the layout, the types and the byte order alone.
nifti_1_header header_of(GzipFile& file, const std::string& path, bool& swapped) {
  const std::vector<std::uint8_t> bytes = file.read(sizeof(nifti_1_header));
  nifti_1_header header;
  if (bytes.size() < sizeof header) throw Error(path, ": is not a NIfTI file: it has only ", bytes.size(), " bytes");
  std::memcpy(&header, bytes.data(), sizeof header);
  constexpr int expected = sizeof header, of_nifti2 = 540;
  const int size = header.sizeof_hdr;
  int reversed = size;
  nifti_swap_Nbytes(1, 4, &reversed);
  if (size == of_nifti2 || reversed == of_nifti2) throw Error(path, ": is a NIfTI-2 file; expects NIfTI-1");
  swapped = reversed == expected;
  if (size != expected && !swapped) throw Error(path, ": is not a NIfTI file: its header does not begin with 348");
  if (std::memcmp(header.magic, "ni1", 4) == 0)
    throw Error(path, ": is half of a pair of files (.hdr and .img); expects one file, X.nii or X.nii.gz");
  if (std::memcmp(header.magic, "n+1", 4) != 0) throw Error(path, ": is not a NIfTI file: it lacks the mark `n+1`");
  if (swapped) swap_nifti_header(&header, 1);
  return header;
}

template <class Value>
void to_floats(const std::vector<std::uint8_t>& bytes, double slope, double intercept, std::vector<float>& out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    Value value;
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    out[i] = static_cast<float>(slope * static_cast<double>(value) + intercept);
  }
}

// A function that converts values of a type in the file; null for types that aren't read.
using Convert = void (*)(const std::vector<std::uint8_t>&, double, double, std::vector<float>&);
Convert conversion(int datatype) {
  switch (datatype) {
    case DT_UINT8:
      return to_floats<std::uint8_t>;
    case DT_INT8:
      return to_floats<std::int8_t>;
    case DT_UINT16:
      return to_floats<std::uint16_t>;
    case DT_INT16:
      return to_floats<std::int16_t>;
    case DT_UINT32:
      return to_floats<std::uint32_t>;
    case DT_INT32:
      return to_floats<std::int32_t>;
    case DT_FLOAT32:
      return to_floats<float>;
    case DT_FLOAT64:
      return to_floats<double>;
    default:
      return nullptr;
  }
}

}  // namespace

Volume read_nifti(const std::string& path) {
  GzipFile file(path);
  bool swapped = false;
  const nifti_1_header header = header_of(file, path, swapped);
  const auto& dim = header.dim;
  Volume volume;
  double voxels = 1;
  if (dim[0] < 1 || dim[0] > 7) throw Error(path, ": is damaged: it has ", dim[0], " dimensions");
  for (int i = 1; i <= dim[0]; ++i) {
    if (dim[i] < 1) throw Error(path, ": is damaged: dimension ", i, " has the extent ", dim[i]);
    if (i > 3 && dim[i] > 1)
      throw Error(path, ": has an extent of ", dim[i], " in dimension ", i, "; expects a volume");
    voxels *= dim[i];
  }
  for (int i = 0; i < 3; ++i) volume.size[i] = i < dim[0] ? dim[i + 1] : 1;
  int value_bytes = 0, swap_bytes = 0;
  nifti_datatype_sizes(header.datatype, &value_bytes, &swap_bytes);
  const Convert convert = conversion(header.datatype);
  if (convert == nullptr || header.bitpix != 8 * value_bytes) {
    throw Error(path, ": has voxels of type ", header.datatype, " (", header.bitpix,
                " bits); expects whole numbers of 8 to 32 bits or real numbers");
  }
  constexpr float first_offset = 352, last_offset = 1 << 24;
  const float offset = header.vox_offset;
  if (!(offset >= first_offset && offset <= last_offset) || offset != std::floor(offset))
    throw Error(path, ": is damaged: its voxels begin at byte ", offset);
  if (!std::isfinite(header.scl_slope) || !std::isfinite(header.scl_inter))
    throw Error(path, ": is damaged: its scale is ", header.scl_slope, ", ", header.scl_inter);
  if (!believable(voxels * value_bytes, static_cast<double>(file.stored_bytes()))) {
    throw Error(path, ": is damaged or truncated: the header announces ", voxels, " voxels, the file has ",
                file.stored_bytes(), " bytes");
  }
  const Index skipped = static_cast<Index>(offset) - Index{sizeof header}, expected = Index(voxels) * value_bytes;
  file.read(skipped);
  std::vector<std::uint8_t> bytes = file.read(expected);
  if (std::ssize(bytes) < expected)
    throw Error(path, ": is truncated: ", voxels, " voxels take ", expected, " bytes, there are ", bytes.size());
  if (!file.read(1).empty()) throw Error(path, ": is damaged: more bytes than the ", expected, " of its voxels");
  if (swapped && swap_bytes > 1) nifti_swap_Nbytes(static_cast<std::size_t>(voxels), swap_bytes, bytes.data());
  volume.values = room_for<float>(static_cast<std::size_t>(voxels), path + ": the volume");
  const bool scaled = header.scl_slope != 0;  // 0: the values are what is stored
  convert(bytes, scaled ? header.scl_slope : 1, scaled ? header.scl_inter : 0, volume.values);
  const auto bad = std::find_if(volume.values.begin(), volume.values.end(), [](float v) { return !std::isfinite(v); });
  if (bad != volume.values.end()) {
    const Index i = bad - volume.values.begin(), nx = volume.size[0], ny = volume.size[1];
    throw Error(path, ": voxel (", i % nx, ", ", i / nx % ny, ", ", i / (nx * ny), ") is ", *bad,
                "; expects finite values");
  }
  return volume;
}

}  // namespace reverie::inline REVERIE_PRECISION
