#include "data/state_dict.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <limits>

#include "data/atomic_file.h"
#include "data/hdf5.h"
#include "data/input_file.h"
#include "data/safetensors.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

static_assert(std::endian::native == std::endian::little,
              "files of weights are little-endian and are read without conversion");

constexpr Dtype real_dtype = sizeof(real) == 4 ? Dtype::float32 : Dtype::float64;

constexpr DtypeInfo table[] = {{Dtype::boolean, "bool", "BOOL", 1},      {Dtype::uint8, "uint8", "U8", 1},
                               {Dtype::int8, "int8", "I8", 1},           {Dtype::uint16, "uint16", "U16", 2},
                               {Dtype::int16, "int16", "I16", 2},        {Dtype::uint32, "uint32", "U32", 4},
                               {Dtype::int32, "int32", "I32", 4},        {Dtype::uint64, "uint64", "U64", 8},
                               {Dtype::int64, "int64", "I64", 8},        {Dtype::float16, "float16", "F16", 2},
                               {Dtype::bfloat16, "bfloat16", "BF16", 2}, {Dtype::float32, "float32", "F32", 4},
                               {Dtype::float64, "float64", "F64", 8}};

// IEEE half precision: 1 bit of sign, 5 of exponent (bias 15), 10 of fraction.
float from_half(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t(half & 0x8000) << 16;
  const std::uint32_t exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
  if (exponent == 0) return std::copysign(std::ldexp(float(fraction), -24), std::bit_cast<float>(sign | 1));
  const std::uint32_t rebiased = exponent == 0x1f ? 0xff : exponent - 15 + 127;
  return std::bit_cast<float>(sign | rebiased << 23 | fraction << 13);
}

// The upper half of a float.
float from_bfloat(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

// Converts each element, a T, with `value`. Numbers that `real` can't represent are refused or rounded.
template <class T, class Value>
Tensor converted(const StoredTensor& stored, const std::string& name, Rounding rounding, Value value) {
  Tensor tensor = Tensor::uninitialized(stored.shape);
  for (Index i = 0; i < tensor.size(); ++i) {
    T bits;
    std::memcpy(&bits, stored.bytes.data() + i * sizeof(T), sizeof(T));
    tensor[i] = value(bits);
    if (rounding == Rounding::allow) continue;
    const long double exact = value(bits);  // represents any 64-bit integer
    if (tensor[i] == exact || std::isnan(exact)) continue;
    throw InexactError("`", name, "` is ", info(stored.dtype).name, ", and its value ", std::setprecision(20), exact,
                       " can't be represented as ", real_name);
  }
  return tensor;
}

bool starts_with_bytes(const InputFile& file, std::string_view bytes) {
  if (file.size() < bytes.size()) return false;
  const std::vector<char> start = file.read(0, bytes.size());
  return std::equal(start.begin(), start.end(), bytes.begin());
}

StateDict read_hdf5(const std::string& path) {
  const Hdf5File file = Hdf5File::open(path);
  StateDict dict;
  for (const std::string& name : file.datasets()) dict.tensors[name] = file.read_stored(name);
  for (const std::string& name : file.attributes("/"))
    if (file.attribute_is_string("/", name)) dict.metadata[name] = file.read_string_attribute("/", name);
  return dict;
}

void write_hdf5(const std::string& path, const StateDict& dict) {
  Hdf5File file = Hdf5File::create(path);
  for (const auto& [name, tensor] : dict.tensors) file.write_stored(name, tensor);
  for (const auto& [name, text] : dict.metadata) file.write_attribute("/", name, text);
  file.close();
}

bool ends_with(const std::string& path, std::initializer_list<const char*> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](const char* end) { return path.ends_with(end); });
}

}  // namespace

std::span<const DtypeInfo> dtypes() { return table; }

const DtypeInfo& info(Dtype dtype) {
  return *std::find_if(std::begin(table), std::end(table), [&](const DtypeInfo& row) { return row.dtype == dtype; });
}

StoredTensor to_stored(const Tensor& tensor) {
  StoredTensor stored{real_dtype, tensor.shape(), {}};
  stored.bytes.resize(tensor.size() * sizeof(real));
  if (!stored.bytes.empty()) std::memcpy(stored.bytes.data(), tensor.data(), stored.bytes.size());
  return stored;
}

Tensor to_tensor(const StoredTensor& stored, const std::string& name, Rounding rounding) {
  const auto as = [&]<class T>(T) { return converted<T>(stored, name, rounding, [](T value) { return value; }); };
  switch (stored.dtype) {
    case Dtype::boolean:
    case Dtype::uint8:
      return as(std::uint8_t{});
    case Dtype::int8:
      return as(std::int8_t{});
    case Dtype::uint16:
      return as(std::uint16_t{});
    case Dtype::int16:
      return as(std::int16_t{});
    case Dtype::uint32:
      return as(std::uint32_t{});
    case Dtype::int32:
      return as(std::int32_t{});
    case Dtype::uint64:
      return as(std::uint64_t{});
    case Dtype::int64:
      return as(std::int64_t{});
    case Dtype::float16:
      return converted<std::uint16_t>(stored, name, rounding, from_half);
    case Dtype::bfloat16:
      return converted<std::uint16_t>(stored, name, rounding, from_bfloat);
    case Dtype::float32:
      return as(float{});
    case Dtype::float64:
      return as(double{});
  }
  throw Error("`", name, "` has an unknown dtype");
}

StateDict read_state_dict(const std::string& path) {
  using namespace std::string_view_literals;
  if (Hdf5File::is_hdf5(path)) return read_hdf5(path);
  const InputFile file(path);
  if (starts_with_bytes(file, "PK\x03\x04"sv) || starts_with_bytes(file, "\x80\x02"sv)) {
    throw Error(path,
                ": is a PyTorch pickle (or a zip file), which only Python can read; docs/pytorch.md shows how "
                "to save it as safetensors or HDF5");
  }
  return read_safetensors(path);
}

bool is_safetensors_name(const std::string& path) {
  if (ends_with(path, {".safetensors"})) return true;
  if (ends_with(path, {".h5", ".hdf5"})) return false;
  throw UsageError(path, ": the name must end in .safetensors, .h5 or .hdf5");
}

void write_state_dict(const std::string& path, const StateDict& dict) {
  const auto write = is_safetensors_name(path) ? write_safetensors : write_hdf5;
  write_atomically(path, [&](const std::string& temporary) { write(temporary, dict); });
}

}  // namespace reverie::inline REVERIE_PRECISION
