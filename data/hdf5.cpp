#include "data/hdf5.h"

#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <type_traits>
#include <utility>

#include "data/atomic_file.h"
#include "data/hdf5_types.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

/// An HDF5 identifier that closes itself. Negative: what HDF5 returned for a failure.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// An open file's objects, with errors that name file and object.
struct Objects {
  const std::string& path;
  hid_t file;

  template <class... Parts>
  [[noreturn]] void fail(const std::string& name, const Parts&... what) const {
    throw Error(path, ": `", name, "` ", what...);
  }

  bool has(const std::string& name) const {
    for (std::size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {  // HDF5 asks link by link
      const std::string part = name.substr(0, end);
      const bool is_root = part.find_first_not_of('/') == std::string::npos;
      if (!is_root && H5Lexists(file, part.c_str(), H5P_DEFAULT) <= 0) return false;
      if (end == std::string::npos) return is_root || H5Oexists_by_name(file, part.c_str(), H5P_DEFAULT) > 0;
    }
  }

  Handle object(const std::string& name) const {
    if (!has(name)) fail(name, "is missing");
    Handle handle(H5Oopen(file, name.empty() ? "/" : name.c_str(), H5P_DEFAULT), H5Oclose);
    if (handle < 0) fail(name, "can't be opened: the file is damaged");
    return handle;
  }

  Handle group(const std::string& name) const {
    Handle handle = object(name);
    if (H5Iget_type(handle) != H5I_GROUP) fail(name, "is a dataset, not a group");
    return handle;
  }

  Handle dataset(const std::string& name) const {
    Handle handle = object(name);
    if (H5Iget_type(handle) != H5I_DATASET) fail(name, "is a group, not a dataset");
    return handle;
  }

  Handle attribute(const std::string& name, const std::string& attribute) const {
    const Handle owner = object(name);
    if (H5Aexists(owner, attribute.c_str()) <= 0) fail(name, "has no attribute `", attribute, "`");
    return Handle(H5Aopen(owner, attribute.c_str(), H5P_DEFAULT), H5Aclose);
  }
};

bool any_type(H5T_class_t) { return true; }
bool is_integer(H5T_class_t type) { return type == H5T_INTEGER; }
bool is_number(H5T_class_t type) { return type == H5T_INTEGER || type == H5T_FLOAT; }
bool is_string(H5T_class_t type) { return type == H5T_STRING; }

template <class T>
hid_t native(const T*) {
  if constexpr (std::is_same_v<T, double>) return H5T_NATIVE_DOUBLE;
  if constexpr (std::is_same_v<T, float>) return H5T_NATIVE_FLOAT;
  if constexpr (std::is_same_v<T, Index>) return H5T_NATIVE_INT64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return H5T_NATIVE_UINT8;
}

/// What a dataset or an attribute holds: its type and shape, and the ways to read it.
class Values {
 public:
  static Values of_dataset(const Objects& objects, const std::string& name, bool accepts(H5T_class_t) = any_type,
                           const char* wanted = "anything") {
    return {objects, name, objects.dataset(name), H5Dget_type, H5Dget_space, accepts, wanted};
  }
  static Values of_bytes(const Objects& objects, const std::string& name) {
    Values values = of_dataset(objects, name);
    if (values.type_name() != "uint8") objects.fail(name, "is ", values.type_name(), ", wants uint8");
    return values;
  }
  static Values of_attribute(const Objects& objects, const std::string& object, const std::string& name,
                             bool accepts(H5T_class_t), const char* wanted) {
    return {objects, object + "@" + name, objects.attribute(object, name), H5Aget_type, H5Aget_space, accepts, wanted};
  }

  const Shape& shape() const { return shape_; }

  std::string type_name() const {
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

  StoredTensor stored() const {
    const auto dtype = dtype_of(type_);
    if (!dtype) objects_.fail(name_, "is ", type_name(), ", wants numbers that PyTorch has");
    StoredTensor values{*dtype, shape_, {}};
    const Index bytes = shape_.size() * info(*dtype).bytes;
    try {
      values.bytes.resize(static_cast<std::size_t>(bytes));
    } catch (const std::bad_alloc&) {
      objects_.fail(name_, "of shape ", shape_, " needs ", bytes, " bytes of memory, more than there is");
    }
    read(Handle(make_hdf5_type(*dtype), H5Tclose), values.bytes.data());
    return values;
  }

  void read(hid_t memory_type, void* out, hid_t memory_space = H5S_ALL, hid_t file_space = H5S_ALL) const {
    if (shape_.size() == 0) return;
    const herr_t status = H5Iget_type(object_) == H5I_ATTR
                              ? H5Aread(object_, memory_type, out)
                              : H5Dread(object_, memory_type, memory_space, file_space, H5P_DEFAULT, out);
    if (status < 0) objects_.fail(name_, "can't be read: the file is truncated or damaged");
  }

  template <class T>
  std::vector<T> numbers() const {
    std::vector<T> values(static_cast<std::size_t>(shape_.size()));
    read(native(values.data()), values.data());
    return values;
  }

  template <class T>
  T number() const {
    if (shape_.size() != 1) objects_.fail(name_, "has ", shape_.size(), " values, wants one");
    return numbers<T>()[0];
  }

  std::vector<std::uint8_t> byte_rows(Index first, Index last) const {
    if (shape_.rank() == 0 || first < 0 || last < first || last > shape_[0]) {
      objects_.fail(name_, "of shape ", shape_, " has no rows ", first, " to ", last);
    }
    const Shape part = shape_.with(0, last - first);
    std::vector<std::uint8_t> values(static_cast<std::size_t>(part.size()));
    if (values.empty()) return values;
    const std::vector<hsize_t> count(part.begin(), part.end());
    std::vector<hsize_t> start(count.size());
    start[0] = static_cast<hsize_t>(first);
    H5Sselect_hyperslab(space_, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    const Handle memory(H5Screate_simple(part.rank(), count.data(), nullptr), H5Sclose);
    read(H5T_NATIVE_UINT8, values.data(), memory, space_);
    return values;
  }

  std::vector<std::string> strings() const {
    std::vector<std::string> strings(static_cast<std::size_t>(shape_.size()));
    if (H5Tis_variable_str(type_) > 0) {
      std::vector<char*> texts(strings.size(), nullptr);
      read(type_, texts.data());
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (texts[i]) strings[i] = texts[i];
        H5free_memory(texts[i]);
      }
      return strings;
    }
    const std::size_t width = H5Tget_size(type_);
    std::vector<char> texts(strings.size() * width);
    read(type_, texts.data());
    for (std::size_t i = 0; i < strings.size(); ++i) {
      const char* text = texts.data() + i * width;
      strings[i].assign(text, strnlen(text, width));
      if (H5Tget_strpad(type_) == H5T_STR_SPACEPAD) strings[i].erase(strings[i].find_last_not_of(' ') + 1);
    }
    return strings;
  }

 private:
  Values(const Objects& objects, std::string name, Handle object, hid_t type(hid_t), hid_t space(hid_t),
         bool accepts(H5T_class_t), const char* wanted)
      : objects_(objects),
        name_(std::move(name)),
        object_(std::move(object)),
        type_(type(object_), H5Tclose),
        space_(space(object_), H5Sclose) {
    if (type_ < 0 || space_ < 0) objects.fail(name_, "can't be opened: the file is damaged");
    if (!accepts(H5Tget_class(type_))) objects.fail(name_, "is ", type_name(), ", wants ", wanted);
    if (H5Sget_simple_extent_type(space_) == H5S_NULL) objects.fail(name_, "is empty");
    const int rank = H5Sget_simple_extent_ndims(space_);
    if (rank > Shape::max_rank) objects.fail(name_, "has ", rank, " axes; ", Shape::max_rank, " is the most");
    std::array<hsize_t, Shape::max_rank> extents{};
    H5Sget_simple_extent_dims(space_, extents.data(), nullptr);
    // A damaged or hostile file may claim any size: its bytes, and those of a product on the way, must be countable.
    constexpr hsize_t most = hsize_t{1} << 56;
    hsize_t elements = 1;
    for (int axis = 0; axis < rank; ++axis) {
      const hsize_t extent = extents[static_cast<std::size_t>(axis)];
      if (extent > most / std::max<hsize_t>(elements, 1))
        objects.fail(name_, "claims to have more numbers than can be");
      elements *= extent;
    }
    shape_ = Shape(std::vector<Index>(extents.begin(), extents.begin() + rank));
  }

  Objects objects_;
  std::string name_;
  Handle object_, type_, space_;
  Shape shape_;
};

template <class Info>
herr_t append_name(hid_t, const char* name, const Info*, void* names) {
  static_cast<std::vector<std::string>*>(names)->push_back(name);
  return 0;
}

std::vector<std::string> children(hid_t group) {
  std::vector<std::string> names;
  H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, append_name<H5L_info_t>, &names);
  return names;
}

void append_datasets(hid_t group, const std::string& prefix, std::vector<std::string>& out) {
  for (const std::string& name : children(group)) {
    const Handle child(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose);
    if (H5Iget_type(child) == H5I_DATASET) out.push_back(prefix + name);
    if (H5Iget_type(child) == H5I_GROUP) append_datasets(child, prefix + name + "/", out);
  }
}

// Chunks of whole rows of about 256 KiB: a batch of rows is read without unpacking much else, and gzip has enough to
// find what repeats. Shuffle puts the equal upper bytes of small integers side by side.
void compress(hid_t creation, const Shape& shape, Index element_bytes) {
  constexpr Index chunk_bytes = 256 * 1024, few_bytes = 4096;
  const Index bytes = shape.size() * element_bytes;
  if (bytes <= few_bytes) return;
  std::vector<hsize_t> chunk(shape.begin(), shape.end());
  chunk[0] = static_cast<hsize_t>(std::clamp<Index>(chunk_bytes / (bytes / shape[0]), 1, shape[0]));
  H5Pset_chunk(creation, shape.rank(), chunk.data());
  H5Pset_shuffle(creation);
  H5Pset_deflate(creation, 6);
}

Handle make_space(const Shape& shape) {
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  return {shape.rank() == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(shape.rank(), extents.data(), nullptr),
          H5Sclose};
}

Handle groups_on_the_way() {
  Handle list(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(list, 1);
  return list;
}

enum class Storage { plain, compressed };

void write_values(const Objects& objects, const std::string& name, const Shape& shape, Index count, hid_t type,
                  const void* values, Storage storage = Storage::plain) {
  if (count != shape.size()) objects.fail(name, "of shape ", shape, " wants ", shape.size(), " values, not ", count);
  if (objects.has(name)) objects.fail(name, "is there already");
  const Handle space = make_space(shape), links = groups_on_the_way(),
               creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation, false);  // the same content is the same file, whenever it is written
  if (storage == Storage::compressed) compress(creation, shape, static_cast<Index>(H5Tget_size(type)));
  const Handle dataset(H5Dcreate2(objects.file, name.c_str(), type, space, links, creation, H5P_DEFAULT), H5Dclose);
  const bool written =
      dataset >= 0 && (count == 0 || H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  if (!written) objects.fail(name, "can't be written: out of memory, or a dataset stands where a group is wanted");
}

void make_group(const Objects& objects, const std::string& name) {
  if (objects.has(name)) return;
  const Handle links = groups_on_the_way();
  const Handle group(H5Gcreate2(objects.file, name.c_str(), links, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  if (group < 0) objects.fail(name, "can't be made a group");
}

void set_attribute(const Objects& objects, const std::string& object, const std::string& name, const Shape& shape,
                   hid_t type, const void* value) {
  make_group(objects, object);
  const Handle owner = objects.object(object), space = make_space(shape);
  if (H5Aexists(owner, name.c_str()) > 0) H5Adelete(owner, name.c_str());
  const Handle attribute(H5Acreate2(owner, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  // HDF5 refuses the null pointer of an empty list.
  if (attribute < 0 || (shape.size() > 0 && H5Awrite(attribute, type, value) < 0)) {
    objects.fail(object, "can't be given the attribute `", name, "`");
  }
}

template <class T>
void write_vector(const Objects& objects, const std::string& name, const Shape& shape, const std::vector<T>& values,
                  Storage storage) {
  write_values(objects, name, shape, std::ssize(values), native(values.data()), values.data(), storage);
}

Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

std::vector<const char*> pointers(const std::vector<std::string>& strings) {
  std::vector<const char*> out;
  for (const std::string& text : strings) out.push_back(text.c_str());
  return out;
}

// HDF5 prints a stack of its own for every failure; ours is one line.
void silence_hdf5() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

}  // namespace

bool Hdf5File::is_hdf5(const std::string& path) {
  silence_hdf5();
  return std::filesystem::is_regular_file(path) && H5Fis_hdf5(path.c_str()) > 0;
}

Hdf5File Hdf5File::open(const std::string& path) {
  silence_hdf5();
  if (std::filesystem::is_directory(path)) throw Error(path, ": is a folder, not an HDF5 file");
  if (::access(path.c_str(), R_OK) != 0) throw Error(path, ": can't be read: ", std::strerror(errno));
  if (H5Fis_hdf5(path.c_str()) <= 0) throw Error(path, ": is not an HDF5 file");
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) throw Error(path, ": is an HDF5 file that is truncated or damaged");
  return {path, file, false};
}

Hdf5File Hdf5File::create(const std::string& path) {
  silence_hdf5();
  write_bytes(path, {});  // says at once that the place can't be written
  const Handle in_memory(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  constexpr std::size_t growth = 1 << 20;
  H5Pset_fapl_core(in_memory, growth, /*backing_store=*/0);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, in_memory);
  if (file < 0) throw Error(path, ": HDF5 can't start a new file");
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
  std::vector<char> image(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (!complete || size <= 0 || H5Fget_file_image(file, image.data(), image.size()) != size) {
    throw Error(path_, ": HDF5 can't put the file together");
  }
  write_bytes(path_, image);
}

bool Hdf5File::has(const std::string& object) const { return Objects{path_, file_}.has(object); }

std::vector<std::string> Hdf5File::list(const std::string& group) const {
  return children(Objects{path_, file_}.group(group));
}

std::vector<std::string> Hdf5File::datasets(const std::string& group) const {
  std::vector<std::string> names;
  append_datasets(Objects{path_, file_}.group(group), "", names);
  return names;
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
  // HDF5 takes "a/b" for b in the group a, "." for the group itself, and a name to end at a zero.
  const std::string parts = "/" + dataset + "/";
  if (parts.find("//") != std::string::npos || parts.find("/./") != std::string::npos ||
      dataset.find('\0') != std::string::npos)
    throw Error(path_, ": a dataset can't be called `", dataset, "`");
  const Handle type(make_hdf5_type(values.dtype), H5Tclose);
  write_values({path_, file_}, dataset, values.shape, std::ssize(values.bytes) / info(values.dtype).bytes, type,
               values.bytes.data());
}

std::vector<std::string> Hdf5File::attributes(const std::string& object) const {
  std::vector<std::string> names;
  H5Aiterate2(Objects{path_, file_}.object(object), H5_INDEX_NAME, H5_ITER_INC, nullptr, append_name<H5A_info_t>,
              &names);
  return names;
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
  throw Error(path_, ": `", object, "@", name, "` has ", strings.size(), " strings, wants one");
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
