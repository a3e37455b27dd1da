#include "data/hdf5.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "data/atomic_file.h"
#include "data/hdf5_objects.h"
#include "data/hdf5_types.h"
#include "tensor/pool.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

template <class T>
void write_vector(const Objects& objects, const std::string& name, const Shape& shape, const std::vector<T>& values,
                  Storage storage) {
  write_values(objects, name, shape, std::ssize(values), native(values.data()), values.data(), storage);
}

std::vector<const char*> pointers(const std::vector<std::string>& strings) {
  std::vector<const char*> out;
  for (const std::string& text : strings) out.push_back(text.c_str());
  return out;
}

// Before HDF5 opens a file: stops it from printing an error stack for every failure (our errors are one line), and
// makes sure of the memory for its caches, without which it crashes.
void prepare_hdf5(const std::string& path) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  constexpr std::size_t caches = 16'000'000;
  if (!has_room(caches)) throw Error(path, ": HDF5 needs ", megabytes(caches), ", more memory than there is");
}

}  // namespace

bool Hdf5File::is_hdf5(const std::string& path) {
  prepare_hdf5(path);
  return std::filesystem::is_regular_file(path) && H5Fis_hdf5(path.c_str()) > 0;
}

Hdf5File Hdf5File::open(const std::string& path) {
  prepare_hdf5(path);
  if (std::filesystem::is_directory(path)) throw Error(path, ": is a folder, not an HDF5 file");
  if (::access(path.c_str(), R_OK) != 0) throw Error(path, ": can't be read: ", std::strerror(errno));
  if (H5Fis_hdf5(path.c_str()) <= 0) throw Error(path, ": is not an HDF5 file");
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) throw Error(path, ": is an HDF5 file that is truncated or damaged");
  return {path, file, false};
}

Hdf5File Hdf5File::create(const std::string& path) {
  prepare_hdf5(path);
  write_bytes(path, {});  // fails now if the file can't be written
  const hid_t file = create_in_memory(path);
  if (file < 0) throw Error(path, ": HDF5 can't create a file");
  return {path, file, true};
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
  const auto texts = pointers(values);
  write_values({path_, file_}, dataset, {std::ssize(texts)}, std::ssize(texts), text_type(), texts.data());
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
  const std::string text(value);
  const char* pointer = text.c_str();
  set_attribute({path_, file_}, object, name, {}, text_type(), &pointer);
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name,
                               const std::vector<std::string>& values) {
  const auto texts = pointers(values);
  set_attribute({path_, file_}, object, name, {std::ssize(texts)}, text_type(), texts.data());
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name, double value) {
  set_attribute({path_, file_}, object, name, {}, native(&value), &value);
}

void Hdf5File::write_int_attribute(const std::string& object, const std::string& name, Index value) {
  set_attribute({path_, file_}, object, name, {}, native(&value), &value);
}

}  // namespace reverie::inline REVERIE_PRECISION
