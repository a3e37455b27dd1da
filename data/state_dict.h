#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// The number formats of files of weights.
enum class Dtype {
  boolean,
  uint8,
  int8,
  uint16,
  int16,
  uint32,
  int32,
  uint64,
  int64,
  float16,
  bfloat16,
  float32,
  float64
};
struct DtypeInfo {
  Dtype dtype;
  const char* name;         ///< in numpy and PyTorch
  const char* safetensors;  ///< in safetensors
  Index bytes;              ///< per element
};
std::span<const DtypeInfo> dtypes();
const DtypeInfo& info(Dtype dtype);

/// A tensor bit for bit as in its file: row-major, little-endian.
struct StoredTensor {
  Dtype dtype = Dtype::float32;
  Shape shape;
  std::vector<char> bytes;
  friend bool operator==(const StoredTensor&, const StoredTensor&) = default;
};

/// A state dict, as in PyTorch: tensors by name, and the file's metadata.
struct StateDict {
  std::map<std::string, StoredTensor> tensors;
  std::map<std::string, std::string> metadata;
  friend bool operator==(const StateDict&, const StateDict&) = default;
};

StoredTensor to_stored(const Tensor& tensor);
/// Thrown for a number that `real` can't represent.
struct InexactError : Error {
  using Error::Error;
};
/// Whether a number that `real` can't represent may be rounded.
enum class Rounding { refuse, allow };
/// Converts any dtype. Throws InexactError with `name` and the value if rounding is needed, but refused.
Tensor to_tensor(const StoredTensor& stored, const std::string& name, Rounding rounding = Rounding::refuse);

/// Reads a safetensors or HDF5 file, recognised by its content. In HDF5, names of datasets in groups have slashes, and
/// the metadata are the root's attributes that are single strings. Throws Error for any other file, and for datasets
/// whose type is not a Dtype.
StateDict read_state_dict(const std::string& path);
/// True for a name ending in .safetensors, false for .h5 or .hdf5. Throws UsageError for any other.
bool is_safetensors_name(const std::string& path);
/// Writes atomically, in the format of the file name's extension. Reading it back gives the same bits. Throws
/// UsageError for an unknown extension, Error for names that the format does not allow and if the file can't be
/// written.
void write_state_dict(const std::string& path, const StateDict& dict);

}  // namespace reverie::inline REVERIE_PRECISION
