// Reading the values of datasets and attributes.
#include <algorithm>
#include <array>
#include <cstring>
#include <iomanip>
#include <memory>
#include <new>
#include <numeric>

#include "data/hdf5_objects.h"
#include "data/hdf5_types.h"
#include "data/input_file.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Throws Error for a dataset whose values are not in this file, or are more than it can hold.
void require_readable(const Objects& objects, hid_t dataset, const std::string& name) {
  const Handle creation(H5Dget_create_plist(dataset), H5Pclose);
  if (creation < 0) objects.fail(name, "can't be opened: ", cause_of_failure());
  if (H5Pget_layout(creation) == H5D_VIRTUAL) {
    objects.fail(name, "is a virtual dataset, whose values are in other files; expected values in this file");
  }
  if (H5Pget_external_count(creation) > 0) {
    std::array<char, 256> file{};
    H5Pget_external(creation, 0, file.size() - 1, file.data(), nullptr, nullptr);
    objects.fail(name, "has its values in another file, ", file.data(), "; expected values in this file");
  }
  const double stored = std::min(static_cast<double>(H5Dget_storage_size(dataset)), objects.file_bytes());
  std::array<hsize_t, H5S_MAX_RANK> chunk{};
  const int rank = H5Pget_layout(creation) == H5D_CHUNKED ? H5Pget_chunk(creation, chunk.size(), chunk.data()) : 0;
  const Handle type(H5Dget_type(dataset), H5Tclose), space(H5Dget_space(dataset), H5Sclose);
  if (type < 0 || space < 0) objects.fail(name, "can't be opened: ", cause_of_failure());
  const auto element = static_cast<double>(H5Tget_size(type));
  const double bytes = element * static_cast<double>(H5Sget_simple_extent_npoints(space));
  const double chunk_bytes =
      rank <= 0 ? 0 : std::accumulate(chunk.begin(), chunk.begin() + rank, element, [](double a, hsize_t b) {
        return a * static_cast<double>(b);
      });
  if (!believable(bytes, stored) || !believable(chunk_bytes, stored)) {
    objects.fail(name, "would have ", std::fixed, std::setprecision(0), std::max(bytes, chunk_bytes),
                 " bytes, but the file has only ", stored, " for it: damaged, or never written?");
  }
}

// Names the first filter of a dataset that HDF5 lacks; empty if it has all.
std::string missing_filter(hid_t dataset) {
  const Handle creation(H5Dget_create_plist(dataset), H5Pclose);
  for (int i = 0; i < H5Pget_nfilters(creation); ++i) {
    std::array<char, 64> name{};
    unsigned flags = 0;
    std::size_t parameters = 0;
    const H5Z_filter_t number =
        H5Pget_filter2(creation, i, &flags, &parameters, nullptr, name.size() - 1, name.data(), nullptr);
    if (H5Zfilter_avail(number) <= 0) return concat(name.data(), " (filter ", static_cast<int>(number), ")");
  }
  return "";
}

/// The memory for the text of strings of variable length. Damaged strings may all claim the same bytes of the file, so
/// they get no more in all than the file has.
struct TextMemory {
  std::size_t left;
  std::vector<std::unique_ptr<char[]>> blocks = {};

  static void* allocate(std::size_t bytes, void* memory) {
    auto& self = *static_cast<TextMemory*>(memory);
    if (bytes > self.left) return nullptr;
    self.left -= bytes;
    return self.blocks.emplace_back(std::make_unique<char[]>(bytes)).get();
  }
  static void release(void*, void*) {}  // all together, with this object
};

}  // namespace

std::string cause_of_failure() {
  std::string reason;
  const auto innermost = [](unsigned, const H5E_error2_t* error, void* text) -> herr_t {
    static_cast<std::string*>(text)->assign(error->desc ? error->desc : "");
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost, &reason);
  const auto has = [&](const char* part) { return reason.find(part) != std::string::npos; };
  if (has("unable to lock file") && has(concat("errno = ", EWOULDBLOCK, ",").c_str())) {
    return "another program has it open for writing, perhaps a notebook; close it there";
  }
  if (has("unable to lock file")) {
    return concat("its file system can't lock files; set HDF5_USE_FILE_LOCKING=FALSE (HDF5: ", reason, ")");
  }
  if (has("file is already open for")) {
    return "the program that wrote it did not close it; close it there, or run h5clear -s on it";
  }
  if (has("memory allocation failed") || has("unable to allocate")) return "it needs more memory than there is";
  return concat("the file is truncated or damaged", reason.empty() ? "" : " (HDF5: " + reason + ")");
}

Values Values::of_dataset(const Objects& objects, const std::string& name, Handle dataset, bool accepts(H5T_class_t),
                          const char* expected) {
  require_readable(objects, dataset, name);
  return {objects, name, std::move(dataset), H5Dget_type, H5Dget_space, accepts, expected};
}

Values Values::of_attribute(const Objects& objects, const std::string& object, const std::string& name,
                            bool accepts(H5T_class_t), const char* expected) {
  constexpr Index max_strings = 4096;  // in an object's header; HDF5 can't limit the memory for their text
  Values values(objects, object + "@" + name, objects.attribute(object, name), H5Aget_type, H5Aget_space, accepts,
                expected);
  if (values.bytes() > objects.file_bytes()) {
    objects.fail(values.name_, "is damaged: it would have ", std::fixed, std::setprecision(0), values.bytes(),
                 " bytes, more than the file");
  }
  if (H5Tis_variable_str(values.type_) > 0 && values.shape().size() > max_strings) {
    objects.fail(values.name_, "has ", values.shape().size(), " strings of variable length, the maximum is ",
                 max_strings, "; expected a fixed length");
  }
  return values;
}

Values::Values(const Objects& objects, std::string name, Handle object, hid_t type(hid_t), hid_t space(hid_t),
               bool accepts(H5T_class_t), const char* expected)
    : objects_(objects),
      name_(std::move(name)),
      object_(std::move(object)),
      type_(type(object_), H5Tclose),
      space_(space(object_), H5Sclose) {
  if (type_ < 0 || space_ < 0) objects.fail(name_, "can't be opened: ", cause_of_failure());
  if (!accepts(H5Tget_class(type_))) objects.fail(name_, "is ", type_name(), ", expected ", expected);
  if (H5Sget_simple_extent_type(space_) == H5S_NULL) objects.fail(name_, "is empty");
  const int rank = H5Sget_simple_extent_ndims(space_);
  if (rank > Shape::max_rank) objects.fail(name_, "has ", rank, " axes, the maximum is ", Shape::max_rank);
  std::array<hsize_t, Shape::max_rank> extents{};
  H5Sget_simple_extent_dims(space_, extents.data(), nullptr);
  try {
    shape_ = Shape(std::vector<Index>(extents.begin(), extents.begin() + rank));
  } catch (const ShapeError& error) {
    objects.fail(name_, "is damaged: ", error.what());
  }
}

Values Values::of_bytes(const Objects& objects, const std::string& name) {
  Values values = of_dataset(objects, name);
  if (values.type_name() != "uint8") objects.fail(name, "is ", values.type_name(), ", expected uint8");
  return values;
}

std::string Values::type_name() const {
  const std::string bits = std::to_string(8 * H5Tget_size(type_));
  switch (H5Tget_class(type_)) {
    case H5T_INTEGER:
      return (H5Tget_sign(type_) == H5T_SGN_NONE ? "uint" : "int") + bits;
    case H5T_FLOAT:
      return "float" + bits;
    case H5T_STRING:
      return "string";
    case H5T_ENUM:
      return dtype_of(type_) == Dtype::boolean ? "bool" : "an enumeration";
    case H5T_COMPOUND:
      return "a compound type";
    case H5T_ARRAY:
      return "a type of arrays";
    case H5T_VLEN:
      return "a type of lists";
    case H5T_REFERENCE:
      return "a type of references";
    default:
      return "a type of bytes or times";
  }
}

void Values::read(hid_t memory_type, void* out, hid_t memory_space, hid_t file_space, hid_t transfer) const {
  if (shape_.size() == 0) return;
  const bool attribute = H5Iget_type(object_) == H5I_ATTR;
  const herr_t status = attribute ? H5Aread(object_, memory_type, out)
                                  : H5Dread(object_, memory_type, memory_space, file_space, transfer, out);
  if (status >= 0) return;
  const std::string cause = cause_of_failure(), filter = attribute ? "" : missing_filter(object_);
  if (filter.empty()) objects_.fail(name_, "can't be read: ", cause);
  objects_.fail(name_, "is compressed by ", filter, ", which this HDF5 library can't read; expected gzip or none");
}

Index Values::chunk_rows() const {
  const Handle creation(H5Dget_create_plist(object_), H5Pclose);
  if (H5Pget_layout(creation) != H5D_CHUNKED) return 1;
  std::array<hsize_t, H5S_MAX_RANK> chunk{};
  return H5Pget_chunk(creation, chunk.size(), chunk.data()) > 0 ? static_cast<Index>(chunk[0]) : 1;
}

std::vector<std::uint8_t> Values::byte_rows(Index first, Index last) const {
  if (shape_.rank() == 0 || first < 0 || last < first || last > shape_[0]) {
    objects_.fail(name_, "of shape ", shape_, " has no rows ", first, " to ", last);
  }
  const Shape part = shape_.with(0, last - first);
  std::vector<std::uint8_t> values = room<std::uint8_t>(part.size());
  if (values.empty()) return values;
  const std::vector<hsize_t> count(part.begin(), part.end());
  std::vector<hsize_t> start(count.size());
  start[0] = first;
  H5Sselect_hyperslab(space_, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  const Handle memory(H5Screate_simple(part.rank(), count.data(), nullptr), H5Sclose);
  read(H5T_NATIVE_UINT8, values.data(), memory, space_);
  return values;
}

std::vector<std::string> Values::variable_strings() const {
  require_sound_heaps(objects_);
  std::vector<char*> texts(shape_.size(), nullptr);
  const bool attribute = H5Iget_type(object_) == H5I_ATTR;
  TextMemory memory{static_cast<std::size_t>(objects_.file_bytes())};
  const Handle transfer(H5Pcreate(H5P_DATASET_XFER), H5Pclose);
  H5Pset_vlen_mem_manager(transfer, TextMemory::allocate, &memory, TextMemory::release, &memory);
  read(type_, texts.data(), H5S_ALL, H5S_ALL, transfer);
  std::vector<std::string> strings(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i]) strings[i] = texts[i];
    if (attribute) H5free_memory(texts[i]);  // attributes have no memory manager
  }
  return strings;
}

std::vector<std::string> Values::strings() const {
  if (H5Tis_variable_str(type_) > 0) return variable_strings();
  std::vector<std::string> strings = room<std::string>(shape_.size());
  const std::size_t width = H5Tget_size(type_);
  std::vector<char> texts = room<char>(strings.size() * width);
  read(type_, texts.data());
  for (std::size_t i = 0; i < strings.size(); ++i) {
    const char* text = texts.data() + i * width;
    strings[i].assign(text, strnlen(text, width));
    if (H5Tget_strpad(type_) == H5T_STR_SPACEPAD) strings[i].erase(strings[i].find_last_not_of(' ') + 1);
  }
  return strings;
}

std::vector<std::string> Values::raw() const {
  if (H5Tget_class(type_) == H5T_STRING) return strings();
  std::string bytes(static_cast<std::size_t>(this->bytes()), '\0');
  read(type_, bytes.data());
  return {bytes};
}

StoredTensor Values::stored() const {
  const auto dtype = dtype_of(type_);
  if (!dtype) objects_.fail(name_, "is ", type_name(), ", expected a type of number that PyTorch has");
  StoredTensor values{*dtype, shape_, room<char>(shape_.size() * info(*dtype).bytes)};
  read(Handle(make_hdf5_type(*dtype), H5Tclose), values.bytes.data());
  return values;
}

}  // namespace reverie::inline REVERIE_PRECISION
