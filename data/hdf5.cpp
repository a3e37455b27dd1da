#include "data/hdf5.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "data/atomic_file.h"
#include "data/hdf5_objects.h"
#include "data/hdf5_types.h"
#include "data/input_file.h"
#include "tensor/pool.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

template <class T>
void write_vector(const Objects& objects, const std::string& name, const Shape& shape, const std::vector<T>& values,
                  Storage storage) {
  write_values(objects, name, shape, std::ssize(values), native(values.data()), values.data(), storage);
}

// Before HDF5 opens a file: stops it from printing an error stack for every failure (our errors are one line), and
// makes sure of the memory for its caches, without which it crashes.
void prepare_hdf5(const std::string& path) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  constexpr std::size_t caches = 16'000'000;
  if (!has_room(caches)) throw Error(path, ": HDF5 needs ", megabytes(caches), ", more memory than there is");
}

// Throws Error for a file of HDF5's older formats that says to be part of a set of files. HDF5 would allocate as much
// memory as such a file claims for the description of the set.
void require_one_file(const InputFile& file) {
  constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
  constexpr std::uint64_t none = ~std::uint64_t{0}, largest = 128;
  for (std::uint64_t at = 0; at + signature.size() <= file.size(); at = std::max<std::uint64_t>(512, 2 * at)) {
    std::vector<char> start = file.read(at, std::min(largest, file.size() - at));
    start.resize(largest);
    if (!std::equal(signature.begin(), signature.end(), start.begin())) continue;
    const int version = start[8], offset_bytes = start[13];
    if (version > 1) return;
    std::uint64_t set = none;  // after the base address, the free space and the end of the file
    if (offset_bytes == sizeof set) std::memcpy(&set, &start[version == 0 ? 48 : 52], sizeof set);
    if (offset_bytes == sizeof set && set == none) return;
    throw Error(file.path(), ": is part of a set of HDF5 files, or damaged; expected a single file");
  }
}

constexpr const char* checksum_name = "checksum";

// CRC-32 of the names and values of an object's attributes, but for the checksum itself.
Index attributes_checksum(const Objects& objects, const std::string& object) {
  uLong sum = crc32(0, nullptr, 0);
  const auto add = [&](const std::string& text) {  // with its zero byte, so that "ab", "c" is not "a", "bc"
    sum = crc32(sum, reinterpret_cast<const Bytef*>(text.c_str()), static_cast<uInt>(text.size() + 1));
  };
  for (const std::string& name : objects.attributes(object)) {
    if (name == checksum_name) continue;
    add(name);
    for (const std::string& text : Values::of_attribute(objects, object, name, any_type, "anything").raw()) add(text);
  }
  return static_cast<Index>(sum);
}

}  // namespace

bool Hdf5File::is_hdf5(const std::string& path) {
  prepare_hdf5(path);
  return std::filesystem::is_regular_file(path) && H5Fis_hdf5(path.c_str()) > 0;
}

Hdf5File Hdf5File::open(const std::string& path) {
  prepare_hdf5(path);
  const InputFile input(path);
  if (H5Fis_hdf5(path.c_str()) <= 0) throw Error(path, ": is not an HDF5 file");
  require_one_file(input);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) throw Error(path, ": is an HDF5 file that can't be opened: ", cause_of_failure());
  return {path, file, false};
}

Hdf5File Hdf5File::create(const std::string& path) {
  prepare_hdf5(path);
  write_bytes(path, {});  // fails now if the file can't be written
  const hid_t file = create_in_memory(path);
  if (file < 0) throw Error(path, ": HDF5 can't create a file");
  return {path, file, true};
}

Hdf5File Hdf5File::create_sparse(const std::string& path, const std::string& place) {
  prepare_hdf5(path);
  const hid_t file = create_on_disk(place);
  if (file < 0) throw Error(path, ": HDF5 can't create a file");
  return {path, file, true};
}

Index Hdf5File::reserve_tensor(const std::string& dataset, const Shape& shape) {
  return reserve_values({path_, file_}, dataset, shape, native(static_cast<const real*>(nullptr)));
}

Hdf5File::Hdf5File(Hdf5File&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)), writing_(other.writing_) {}

Hdf5File& Hdf5File::operator=(Hdf5File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  std::swap(writing_, other.writing_);
  return *this;
}

Hdf5File::~Hdf5File() {
  if (file_ >= 0) H5Fclose(file_);
}

void Hdf5File::close() {
  if (file_ < 0) return;
  const Handle file(std::exchange(file_, -1), H5Fclose);
  if (!writing_) return;
  const bool complete = H5Fflush(file, H5F_SCOPE_LOCAL) >= 0;
  const ssize_t size = H5Fget_file_image(file, nullptr, 0);
  std::vector<char> image(std::max<ssize_t>(size, 0));
  if (!complete || size <= 0 || H5Fget_file_image(file, image.data(), image.size()) != size) {
    throw Error(path_, ": HDF5 can't build the file");
  }
  write_bytes(path_, image);
}

bool Hdf5File::has(const std::string& object) const { return Objects{path_, file_}.has(object); }

std::vector<std::string> Hdf5File::list(const std::string& group) const {
  return Objects{path_, file_}.children(group);
}

std::vector<std::string> Hdf5File::datasets(const std::string& group) const {
  return Objects{path_, file_}.datasets_below(group);
}

Shape Hdf5File::shape(const std::string& name) const { return Values::of_dataset({path_, file_}, name).shape(); }

std::string Hdf5File::type(const std::string& name) const {
  return Values::of_dataset({path_, file_}, name).type_name();
}

Tensor Hdf5File::read_tensor(const std::string& name) const {
  const Values values = Values::of_dataset({path_, file_}, name, is_number, "numbers");
  Tensor out = Tensor::uninitialized(values.shape());
  values.read(native(out.data()), out.data());
  return out;
}

std::vector<double> Hdf5File::read_doubles(const std::string& name) const {
  return Values::of_dataset({path_, file_}, name, is_number, "numbers").numbers<double>();
}

std::vector<Index> Hdf5File::read_int64(const std::string& name) const {
  return Values::of_dataset({path_, file_}, name, is_integer, "integers").numbers<Index>();
}

std::vector<std::uint8_t> Hdf5File::read_uint8(const std::string& name) const {
  return Values::of_bytes({path_, file_}, name).numbers<std::uint8_t>();
}

std::vector<std::uint8_t> Hdf5File::read_uint8(const std::string& name, Index first, Index last) const {
  return Values::of_bytes({path_, file_}, name).byte_rows(first, last);
}

Index Hdf5File::chunk_rows(const std::string& name) const {
  return Values::of_dataset({path_, file_}, name).chunk_rows();
}

std::vector<std::string> Hdf5File::read_strings(const std::string& name) const {
  return Values::of_dataset({path_, file_}, name, is_string, "strings").strings();
}

StoredTensor Hdf5File::read_stored(const std::string& name) const {
  return Values::of_dataset({path_, file_}, name).stored();
}

void Hdf5File::write_tensor(const std::string& dataset, const Tensor& values) {
  write_values({path_, file_}, dataset, values.shape(), values.size(), native(values.data()), values.data());
}

void Hdf5File::write_doubles(const std::string& dataset, const Shape& shape, const std::vector<double>& values) {
  write_vector({path_, file_}, dataset, shape, values, Storage::plain);
}

void Hdf5File::write_int64(const std::string& dataset, const Shape& shape, const std::vector<Index>& values) {
  write_vector({path_, file_}, dataset, shape, values, Storage::compressed);
}

void Hdf5File::write_uint8(const std::string& dataset, const Shape& shape, const std::vector<std::uint8_t>& values) {
  write_vector({path_, file_}, dataset, shape, values, Storage::compressed);
}

void Hdf5File::write_strings(const std::string& dataset, const std::vector<std::string>& values) {
  const FixedStrings texts(values);
  write_values({path_, file_}, dataset, {std::ssize(values)}, std::ssize(values), texts.type, texts.bytes.data(),
               Storage::compressed);
}

void Hdf5File::write_stored(const std::string& dataset, const StoredTensor& values) {
  // HDF5 reads "a/b" as b in group a and "." as the group itself, and ends a name at a zero byte.
  const std::string parts = "/" + dataset + "/";
  if (parts.find("//") != std::string::npos || parts.find("/./") != std::string::npos ||
      dataset.find('\0') != std::string::npos)
    throw Error(path_, ": a dataset can't be called `", dataset, "`");
  const Handle type(make_hdf5_type(values.dtype), H5Tclose);
  write_values({path_, file_}, dataset, values.shape, std::ssize(values.bytes) / info(values.dtype).bytes, type,
               values.bytes.data());
}

std::vector<std::string> Hdf5File::attributes(const std::string& object) const {
  return Objects{path_, file_}.attributes(object);
}

bool Hdf5File::has_attribute(const std::string& object, const std::string& name) const {
  return H5Aexists(Objects{path_, file_}.object(object), name.c_str()) > 0;
}

bool Hdf5File::attribute_is_string(const std::string& object, const std::string& name) const {
  const Values values = Values::of_attribute({path_, file_}, object, name, any_type, "anything");
  return values.type_name() == "string" && values.shape().size() == 1;
}

std::string Hdf5File::read_string_attribute(const std::string& object, const std::string& name) const {
  const auto strings = read_strings_attribute(object, name);
  if (strings.size() == 1) return strings[0];
  throw Error(path_, ": `", object, "@", name, "` has ", strings.size(), " strings, expected one");
}

std::vector<std::string> Hdf5File::read_strings_attribute(const std::string& object, const std::string& name) const {
  return Values::of_attribute({path_, file_}, object, name, is_string, "strings").strings();
}

Index Hdf5File::read_int_attribute(const std::string& object, const std::string& name) const {
  return Values::of_attribute({path_, file_}, object, name, is_integer, "an integer").number<Index>();
}

double Hdf5File::read_double_attribute(const std::string& object, const std::string& name) const {
  return Values::of_attribute({path_, file_}, object, name, is_number, "a number").number<double>();
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name, std::string_view value) {
  const FixedStrings text({std::string(value)});
  set_attribute({path_, file_}, object, name, {}, text.type, text.bytes.data());
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name,
                               const std::vector<std::string>& values) {
  const FixedStrings texts(values);
  set_attribute({path_, file_}, object, name, {std::ssize(values)}, texts.type, texts.bytes.data());
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name, double value) {
  set_attribute({path_, file_}, object, name, {}, native(&value), &value);
}

void Hdf5File::write_checksum(const std::string& object) {
  write_attribute(object, checksum_name, attributes_checksum({path_, file_}, object));
}

void Hdf5File::require_checksum(const std::string& object) const {
  if (!has_attribute(object, checksum_name)) return;
  if (read_int_attribute(object, checksum_name) == attributes_checksum({path_, file_}, object)) return;
  throw Error(path_, ": the attributes of `", object, "` don't match their checksum: the file is damaged, or another ",
              "program changed it; without the attribute `", checksum_name, "` it would be read as it is");
}

void Hdf5File::write_int_attribute(const std::string& object, const std::string& name, Index value) {
  set_attribute({path_, file_}, object, name, {}, native(&value), &value);
}

}  // namespace reverie::inline REVERIE_PRECISION
