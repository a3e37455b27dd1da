#include "data/hdf5_objects.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "data/hdf5_types.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

template <class Info>
herr_t append_name(hid_t, const char* name, const Info*, void* names) {
  static_cast<std::vector<std::string>*>(names)->push_back(name);
  return 0;
}

/// Collects the datasets below a group. Links may lead back to a group above, so the number of links is limited.
struct Descent {
  static constexpr Index max_links = 1'000'000, max_path = 1024;
  const Objects& objects;
  const std::string& top;
  std::vector<std::string> found = {};
  Index links = 0;

  void into(const std::string& below) {
    for (const std::string& name : objects.children(top + "/" + below)) {
      if (++links > max_links || std::ssize(below) > max_path) {
        objects.fail(top, "has no end: a group in it leads back to one above");
      }
      const Handle child = objects.object(top + "/" + below + name);
      if (H5Iget_type(child) == H5I_DATASET) found.push_back(below + name);
      if (H5Iget_type(child) == H5I_GROUP) into(below + name + "/");
    }
  }
};

// Sets the layout of a dataset so that reading detects damage: small datasets are stored in their header, which has a
// checksum, larger ones in chunks of whole rows with a checksum each. Chunks of up to 256 KiB are small enough to read
// a batch of rows without decompressing much else, and large enough to compress well. Shuffle groups the equal upper
// bytes of small integers.
void set_layout(hid_t creation, const Shape& shape, Index element_bytes, Storage storage) {
  constexpr Index chunk_bytes = 256 * 1024, few_bytes = 4096;
  const Index bytes = shape.size() * element_bytes;
  if (bytes <= few_bytes) {
    H5Pset_layout(creation, H5D_COMPACT);
    return;
  }
  std::vector<hsize_t> chunk(shape.begin(), shape.end());
  const Index count = (bytes + chunk_bytes - 1) / chunk_bytes;
  chunk[0] = (shape[0] + count - 1) / count;  // the last chunk is stored in full, so equal chunks waste least
  H5Pset_chunk(creation, shape.rank(), chunk.data());
  if (storage == Storage::compressed) {
    H5Pset_shuffle(creation);
    H5Pset_deflate(creation, 6);
  }
  H5Pset_fletcher32(creation);
}

Handle make_space(const Shape& shape) {
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  return {shape.rank() == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(shape.rank(), extents.data(), nullptr),
          H5Sclose};
}

// The creation properties of an object. No times, so that equal content gives equal files. Tracking the creation order
// makes HDF5 use its newer object headers, which have checksums. A group's links stay in its header however many there
// are, because HDF5 1.10 crashes on damaged link tables.
Handle creation_properties(hid_t property_class) {
  Handle list(H5Pcreate(property_class), H5Pclose);
  H5Pset_obj_track_times(list, false);
  H5Pset_attr_creation_order(list, H5P_CRT_ORDER_TRACKED);
  if (property_class != H5P_DATASET_CREATE) {
    constexpr unsigned all = 65535;
    H5Pset_link_creation_order(list, H5P_CRT_ORDER_TRACKED);
    H5Pset_link_phase_change(list, all, all);
  }
  return list;
}

void create_group(const Objects& objects, const std::string& name) {
  if (objects.has(name)) return;
  if (const auto slash = name.rfind('/'); slash != std::string::npos) create_group(objects, name.substr(0, slash));
  const Handle creation = creation_properties(H5P_GROUP_CREATE);
  const Handle group(H5Gcreate2(objects.file, name.c_str(), H5P_DEFAULT, creation, H5P_DEFAULT), H5Gclose);
  if (group < 0) objects.fail(name, "can't be created: a dataset has the name of one of its groups");
}

}  // namespace

bool Objects::has(const std::string& name) const {
  for (std::size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {  // H5Lexists checks one link only
    const std::string part = name.substr(0, end);
    const bool is_root = part.find_first_not_of('/') == std::string::npos;
    if (!is_root && H5Lexists(file, part.c_str(), H5P_DEFAULT) <= 0) return false;
    if (end == std::string::npos) return is_root || H5Oexists_by_name(file, part.c_str(), H5P_DEFAULT) > 0;
  }
}

Handle Objects::object(const std::string& name) const {
  if (!has(name)) fail(name, "is missing");
  Handle handle(H5Oopen(file, name.empty() ? "/" : name.c_str(), H5P_DEFAULT), H5Oclose);
  if (handle < 0) fail(name, "can't be opened: the file is damaged");
  return handle;
}

Handle Objects::group(const std::string& name) const {
  Handle handle = object(name);
  if (H5Iget_type(handle) != H5I_GROUP) fail(name, "is a dataset, not a group");
  return handle;
}

Handle Objects::dataset(const std::string& name) const {
  Handle handle = object(name);
  if (H5Iget_type(handle) != H5I_DATASET) fail(name, "is a group, not a dataset");
  return handle;
}

Handle Objects::attribute(const std::string& name, const std::string& attribute) const {
  const Handle owner = object(name);
  if (H5Aexists(owner, attribute.c_str()) <= 0) fail(name, "has no attribute `", attribute, "`");
  return Handle(H5Aopen(owner, attribute.c_str(), H5P_DEFAULT), H5Aclose);
}

std::vector<std::string> Objects::children(const std::string& name) const {
  std::vector<std::string> names;
  const herr_t status = H5Literate(group(name), H5_INDEX_NAME, H5_ITER_INC, nullptr, append_name<H5L_info_t>, &names);
  if (status < 0) fail(name, "can't be listed: the file is damaged");
  return names;
}

std::vector<std::string> Objects::datasets_below(const std::string& name) const {
  Descent descent{*this, name};
  descent.into("");
  return descent.found;
}

std::vector<std::string> Objects::attributes(const std::string& name) const {
  std::vector<std::string> names;
  H5Aiterate2(object(name), H5_INDEX_NAME, H5_ITER_INC, nullptr, append_name<H5A_info_t>, &names);
  return names;
}

Values::Values(const Objects& objects, std::string name, Handle object, hid_t type(hid_t), hid_t space(hid_t),
               bool accepts(H5T_class_t), const char* expected)
    : objects_(objects),
      name_(std::move(name)),
      object_(std::move(object)),
      type_(type(object_), H5Tclose),
      space_(space(object_), H5Sclose) {
  if (type_ < 0 || space_ < 0) objects.fail(name_, "can't be opened: the file is damaged");
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
    default:
      return "other";
  }
}

void Values::read(hid_t memory_type, void* out, hid_t memory_space, hid_t file_space) const {
  if (shape_.size() == 0) return;
  const herr_t status = H5Iget_type(object_) == H5I_ATTR
                            ? H5Aread(object_, memory_type, out)
                            : H5Dread(object_, memory_type, memory_space, file_space, H5P_DEFAULT, out);
  if (status < 0) objects_.fail(name_, "can't be read: the file is truncated or damaged");
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

std::vector<std::string> Values::strings() const {
  std::vector<std::string> strings = room<std::string>(shape_.size());
  if (H5Tis_variable_str(type_) > 0) {
    std::vector<char*> texts = room<char*>(strings.size());
    read(type_, texts.data());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (texts[i]) strings[i] = texts[i];
      H5free_memory(texts[i]);
    }
    return strings;
  }
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

StoredTensor Values::stored() const {
  const auto dtype = dtype_of(type_);
  if (!dtype) objects_.fail(name_, "is ", type_name(), ", expected a type of number that PyTorch has");
  StoredTensor values{*dtype, shape_, room<char>(shape_.size() * info(*dtype).bytes)};
  read(Handle(make_hdf5_type(*dtype), H5Tclose), values.bytes.data());
  return values;
}

void write_values(const Objects& objects, const std::string& name, const Shape& shape, Index count, hid_t type,
                  const void* values, Storage storage) {
  if (count != shape.size()) objects.fail(name, "of shape ", shape, " expects ", shape.size(), " values, got ", count);
  if (objects.has(name)) objects.fail(name, "exists already");
  if (const auto slash = name.rfind('/'); slash != std::string::npos) create_group(objects, name.substr(0, slash));
  const Handle space = make_space(shape), creation = creation_properties(H5P_DATASET_CREATE);
  set_layout(creation, shape, H5Tget_size(type), storage);
  const Handle dataset(H5Dcreate2(objects.file, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT),
                       H5Dclose);
  const bool written =
      dataset >= 0 && (count == 0 || H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  if (!written) objects.fail(name, "can't be written: out of memory");
}

void set_attribute(const Objects& objects, const std::string& object, const std::string& name, const Shape& shape,
                   hid_t type, const void* value) {
  create_group(objects, object);
  const Handle owner = objects.object(object), space = make_space(shape);
  if (H5Aexists(owner, name.c_str()) > 0) H5Adelete(owner, name.c_str());
  const Handle attribute(H5Acreate2(owner, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  // HDF5 rejects the null pointer of an empty list.
  if (attribute < 0 || (shape.size() > 0 && H5Awrite(attribute, type, value) < 0)) {
    objects.fail(object, "can't have the attribute `", name, "`");
  }
}

hid_t create_in_memory(const std::string& path) {
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose), creation = creation_properties(H5P_FILE_CREATE);
  constexpr std::size_t growth = 1 << 20;
  H5Pset_fapl_core(access, growth, /*backing_store=*/0);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access);
  // Use the formats of HDF5 1.10 (2016), which have checksums for everything but the data, from here on. Not for the
  // first bytes of the file: H5Fget_file_image changes them without updating their checksum.
  if (file >= 0) H5Fset_libver_bounds(file, H5F_LIBVER_V110, H5F_LIBVER_V110);
  return file;
}

Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

}  // namespace reverie::inline REVERIE_PRECISION
