#include "data/hdf5_objects.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <set>

#include "data/input_file.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

template <class Info>
herr_t append_name(hid_t, const char* name, const Info*, void* names) {
  static_cast<std::vector<std::string>*>(names)->push_back(name);
  return 0;
}

std::vector<std::string> names_in(const Objects& objects, hid_t group, const std::string& name) {
  std::vector<std::string> names;
  if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, append_name<H5L_info_t>, &names) < 0) {
    objects.fail(name, "can't be listed: ", cause_of_failure());
  }
  return names;
}

/// Collects the datasets below a group. Visits each group once, and opens it through the group above.
struct Descent {
  static constexpr int max_depth = 64;
  const Objects& objects;
  const std::string& top;
  std::vector<std::string> found = {};
  std::set<haddr_t> groups = {};
  double bytes = 0;

  void into(hid_t group, const std::string& below, int depth) {
    const std::string here = (top == "/" ? "" : top + "/") + below;
    H5O_info_t facts;
    if (H5Oget_info2(group, &facts, H5O_INFO_BASIC) < 0) objects.fail(here, "can't be read: ", cause_of_failure());
    if (!groups.insert(facts.addr).second) {
      objects.fail(here, "is a group that has another name too, or that leads back to itself");
    }
    if (depth > max_depth) objects.fail(here, "is a group inside ", max_depth, " others, the maximum");
    for (const std::string& name : names_in(objects, group, here)) {
      Handle child = objects.follow(group, name, here + name);
      if (H5Iget_type(child) == H5I_GROUP) into(child, below + name + "/", depth + 1);
      if (H5Iget_type(child) != H5I_DATASET) continue;
      bytes += Values::of_dataset(objects, here + name, std::move(child)).bytes();
      if (!believable(bytes, objects.file_bytes())) {
        objects.fail(top, "is damaged: its datasets would have more bytes than a file of this size can hold");
      }
      found.push_back(below + name);
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

double Objects::file_bytes() const {
  hsize_t bytes = 0;
  H5Fget_filesize(file, &bytes);
  return static_cast<double>(bytes);
}

Handle Objects::follow(hid_t group, const std::string& link, const std::string& name, int links_followed) const {
  constexpr int max_links = 16;
  constexpr std::size_t max_target = 4096;
  if (H5Iget_type(group) != H5I_GROUP || H5Lexists(group, link.c_str(), H5P_DEFAULT) <= 0) return {-1, H5Oclose};
  H5L_info_t facts;
  if (H5Lget_info(group, link.c_str(), &facts, H5P_DEFAULT) < 0) fail(name, "can't be opened: ", cause_of_failure());
  if (facts.type == H5L_TYPE_HARD) {
    Handle object(H5Oopen(group, link.c_str(), H5P_DEFAULT), H5Oclose);
    if (object < 0) fail(name, "can't be opened: ", cause_of_failure());
    return object;
  }
  if (facts.type == H5L_TYPE_EXTERNAL) fail(name, "is a link to another file; expected an object in this file");
  if (facts.type != H5L_TYPE_SOFT) fail(name, "is a link of a user-defined kind; expected an object in this file");
  if (facts.u.val_size > max_target) fail(name, "is damaged: a link of ", facts.u.val_size, " bytes");
  std::string target(facts.u.val_size, '\0');
  if (H5Lget_val(group, link.c_str(), target.data(), target.size(), H5P_DEFAULT) < 0) {
    fail(name, "can't be opened: ", cause_of_failure());
  }
  target.resize(strnlen(target.data(), target.size()));
  if (links_followed == max_links) fail(name, "is a link that leads to more than ", max_links, " others");
  Handle object = walk(target.starts_with('/') ? file : group, target, name, links_followed + 1);
  if (object < 0) fail(name, "is a link to `", target, "`, which is missing");
  return object;
}

Handle Objects::walk(hid_t from, const std::string& below, const std::string& name, int links_followed) const {
  Handle current(H5Oopen(from, from == file ? "/" : ".", H5P_DEFAULT), H5Oclose);
  if (current < 0) fail(name, "can't be opened: ", cause_of_failure());
  std::istringstream parts(below);
  for (std::string part; current >= 0 && std::getline(parts, part, '/');) {
    if (!part.empty() && part != ".") current = follow(current, part, name, links_followed);
  }
  return current;
}

Handle Objects::find(const std::string& name) const { return walk(file, name, name, 0); }

Handle Objects::object(const std::string& name) const {
  Handle handle = find(name);
  if (handle < 0) fail(name, "is missing");
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

std::vector<std::string> Objects::children(const std::string& name) const { return names_in(*this, group(name), name); }

std::vector<std::string> Objects::datasets_below(const std::string& name) const {
  Descent descent{*this, name};
  descent.into(group(name), "", 0);
  return descent.found;
}

std::vector<std::string> Objects::attributes(const std::string& name) const {
  std::vector<std::string> names;
  const herr_t status = H5Aiterate2(object(name), H5_INDEX_NAME, H5_ITER_INC, nullptr, append_name<H5A_info_t>, &names);
  if (status < 0) fail(name, "has attributes that can't be listed: ", cause_of_failure());
  return names;
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

Index reserve_values(const Objects& objects, const std::string& name, const Shape& shape, hid_t type) {
  if (objects.has(name)) objects.fail(name, "exists already");
  const Handle space = make_space(shape), creation = creation_properties(H5P_DATASET_CREATE);
  H5Pset_layout(creation, H5D_CONTIGUOUS);
  H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
  const Handle dataset(H5Dcreate2(objects.file, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT),
                       H5Dclose);
  const haddr_t position = dataset >= 0 ? H5Dget_offset(dataset) : HADDR_UNDEF;
  if (position == HADDR_UNDEF) objects.fail(name, "can't be created: ", cause_of_failure());
  return static_cast<Index>(position);
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

hid_t create_on_disk(const std::string& path) {
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose), creation = creation_properties(H5P_FILE_CREATE);
  H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
  return H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access);
}

FixedStrings::FixedStrings(const std::vector<std::string>& strings) : type(H5Tcopy(H5T_C_S1), H5Tclose) {
  std::size_t width = 1;
  for (const std::string& text : strings) width = std::max(width, text.size());
  bytes.resize(strings.size() * width);
  for (std::size_t i = 0; i < strings.size(); ++i) std::copy(strings[i].begin(), strings[i].end(), &bytes[i * width]);
  H5Tset_size(type, width);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  H5Tset_cset(type, H5T_CSET_UTF8);
}

}  // namespace reverie::inline REVERIE_PRECISION
