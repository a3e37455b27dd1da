#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// The formats of numbers that files of weights hold.
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
  const char* name;         ///< numpy's and PyTorch's
  const char* safetensors;  ///< the format's
  Index bytes;              ///< of an element
};
std::span<const DtypeInfo> dtypes();
const DtypeInfo& info(Dtype dtype);

/// A tensor as a file has it, no bit changed: elements row by row, little-endian.
struct StoredTensor {
  Dtype dtype = Dtype::float32;
  Shape shape;
  std::vector<char> bytes;
  friend bool operator==(const StoredTensor&, const StoredTensor&) = default;
};

/// What PyTorch calls a state dict: tensors by name; and what the file says beside them.
struct StateDict {
  std::map<std::string, StoredTensor> tensors;
  std::map<std::string, std::string> metadata;
  friend bool operator==(const StateDict&, const StateDict&) = default;
};

StoredTensor to_stored(const Tensor& tensor);
/// A number that `real` hasn't got.
struct InexactError : Error {
  using Error::Error;
};
/// Whether a number that `real` hasn't got may become the nearest that it has.
enum class Rounding { refuse, allow };
/// Any format as a tensor. Throws InexactError, naming `name` and the value, where one would change and mustn't.
Tensor to_tensor(const StoredTensor& stored, const std::string& name, Rounding rounding = Rounding::refuse);

/// Reads a safetensors file or an HDF5 file of numbers, whichever it is. In HDF5, datasets in groups have names with
/// slashes, and the metadata are the root's attributes that are single strings. Throws Error for any other file, and
/// for types of numbers that aren't above.
StateDict read_state_dict(const std::string& path);
/// Whether a file name says how to write: .safetensors, .h5 or .hdf5. Throws UsageError for another.
bool is_safetensors_name(const std::string& path);
/// Writes atomically, in the format that the name's end says. Reading back gives the same, to the bit. Throws
/// UsageError for another end, Error for names that the format can't have, and where the file can't be written.
void write_state_dict(const std::string& path, const StateDict& dict);

}  // namespace reverie::inline REVERIE_PRECISION
