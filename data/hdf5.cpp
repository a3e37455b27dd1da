#include "data/hdf5.h"

#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

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

// HDF5 prints a stack of its own for every failure; ours is one line.
void silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

// The system's reason for the last failure (" (No space left on device)"), fished out of HDF5's error stack; else
// empty.
std::string reason() {
  std::string text;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
        const std::string description = error->desc ? error->desc : "", key = "error message = '";
        const auto begin = description.find(key);
        if (begin == std::string::npos) return 0;
        const auto end = description.find('\'', begin + key.size());
        *static_cast<std::string*>(out) = " (" + description.substr(begin + key.size(), end - begin - key.size()) + ")";
        return 1;
      },
      &text);
  return text;
}

const char* in_file(const std::string& object) { return object.empty() ? "/" : object.c_str(); }

/// One file's objects, opened with errors that name them.
struct Reader {
  const std::string& path;
  hid_t file;

  [[noreturn]] void fail(const std::string& object, const std::string& what) const {
    throw Error(path, ": `", object, "` ", what);
  }

  bool has(const std::string& object) const {
    for (std::size_t end = object.find('/', 1);; end = object.find('/', end + 1)) {  // HDF5 asks link by link
      const std::string part = object.substr(0, end);
      if (part.find_first_not_of('/') != std::string::npos) {
        if (H5Lexists(file, part.c_str(), H5P_DEFAULT) <= 0 ||
            H5Oexists_by_name(file, part.c_str(), H5P_DEFAULT) <= 0) {
          return false;
        }
      }
      if (end == std::string::npos) return true;
    }
  }

  Handle object(const std::string& name) const {
    if (!has(name)) throw Error(path, ": `", name, "` is missing");
    Handle handle(H5Oopen(file, in_file(name), H5P_DEFAULT), H5Oclose);
    if (handle < 0) fail(name, "can't be opened: the file is damaged");
    return handle;
  }

  Handle dataset(const std::string& name) const {
    Handle handle = object(name);
    if (H5Iget_type(handle) != H5I_DATASET) fail(name, "is a group, not a dataset");
    return handle;
  }

  Handle group(const std::string& name) const {
    Handle handle = object(name);
    if (H5Iget_type(handle) != H5I_GROUP) fail(name, "is a dataset, not a group");
    return handle;
  }

  Handle attribute(const std::string& object_name, const std::string& name) const {
    const Handle owner = object(object_name);
    if (H5Aexists(owner, name.c_str()) <= 0) fail(object_name, "has no attribute `" + name + "`");
    Handle handle(H5Aopen(owner, name.c_str(), H5P_DEFAULT), H5Aclose);
    if (handle < 0) fail(object_name, "has an attribute `" + name + "` that can't be read: the file is damaged");
    return handle;
  }
};

Shape shape_of(const Reader& reader, const std::string& name, hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || H5Sget_simple_extent_type(space) == H5S_NULL) reader.fail(name, "has no values");
  if (rank > Shape::max_rank)
    reader.fail(name, concat("has ", rank, " axes; at most ", Shape::max_rank, " are supported"));
  std::array<hsize_t, Shape::max_rank> extents{};
  H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  return Shape(std::vector<Index>(extents.begin(), extents.begin() + rank));
}

Handle type_of(hid_t object) {
  return Handle(H5Iget_type(object) == H5I_ATTR ? H5Aget_type(object) : H5Dget_type(object), H5Tclose);
}

std::string type_name(hid_t type) {
  const std::string bits = std::to_string(8 * H5Tget_size(type));
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return (H5Tget_sign(type) == H5T_SGN_NONE ? "uint" : "int") + bits;
    case H5T_FLOAT:
      return "float" + bits;
    case H5T_STRING:
      return "string";
    default:
      return "other";
  }
}

bool is_integer(hid_t type) { return H5Tget_class(type) == H5T_INTEGER; }
bool is_number(hid_t type) { return is_integer(type) || H5Tget_class(type) == H5T_FLOAT; }

hid_t native(const double*) { return H5T_NATIVE_DOUBLE; }
hid_t native(const float*) { return H5T_NATIVE_FLOAT; }
hid_t native(const Index*) { return H5T_NATIVE_INT64; }
hid_t native(const std::uint8_t*) { return H5T_NATIVE_UINT8; }

// Reads a whole dataset or attribute into `out`, which has room for it.
void read_all(const Reader& reader, const std::string& name, hid_t object, hid_t memory_type, void* out) {
  const herr_t status = H5Iget_type(object) == H5I_ATTR
                            ? H5Aread(object, memory_type, out)
                            : H5Dread(object, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
  if (status < 0) reader.fail(name, "can't be read: the file is truncated or damaged" + reason());
}

template <class T>
std::vector<T> read_numbers(const Reader& reader, const std::string& name, bool accepted(hid_t), const char* wanted) {
  const Handle dataset = reader.dataset(name), space(H5Dget_space(dataset), H5Sclose), type = type_of(dataset);
  if (!accepted(type)) reader.fail(name, "is " + type_name(type) + ", wants " + wanted);
  std::vector<T> values(static_cast<std::size_t>(shape_of(reader, name, space).size()));
  read_all(reader, name, dataset, native(values.data()), values.data());
  return values;
}

std::vector<std::string> read_all_strings(const Reader& reader, const std::string& name, hid_t object) {
  const Handle type = type_of(object);
  if (H5Tget_class(type) != H5T_STRING) reader.fail(name, "is " + type_name(type) + ", wants string");
  const Handle space(H5Iget_type(object) == H5I_ATTR ? H5Aget_space(object) : H5Dget_space(object), H5Sclose);
  const auto count = static_cast<std::size_t>(shape_of(reader, name, space).size());
  std::vector<std::string> strings(count);
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> texts(count, nullptr);
    read_all(reader, name, object, type, texts.data());
    for (std::size_t i = 0; i < count; ++i) {
      if (texts[i]) strings[i] = texts[i];
      H5free_memory(texts[i]);
    }
    return strings;
  }
  const std::size_t width = H5Tget_size(type);
  std::vector<char> texts(count * width);
  read_all(reader, name, object, type, texts.data());
  for (std::size_t i = 0; i < count; ++i) {
    const char* text = texts.data() + i * width;
    strings[i].assign(text, strnlen(text, width));
    if (H5Tget_strpad(type) == H5T_STR_SPACEPAD) strings[i].erase(strings[i].find_last_not_of(' ') + 1);
  }
  return strings;
}

template <class T>
T read_number_attribute(const Reader& reader, const std::string& object, const std::string& name, bool accepted(hid_t),
                        const char* wanted) {
  const Handle attribute = reader.attribute(object, name), type = type_of(attribute);
  const Handle space(H5Aget_space(attribute), H5Sclose);
  const Index count = shape_of(reader, object, space).size();
  if (!accepted(type) || count != 1) {
    reader.fail(object, concat("has an attribute `", name, "` of ", count, " ", type_name(type), ", wants ", wanted));
  }
  T value{};
  read_all(reader, object, attribute, native(&value), &value);
  return value;
}

std::vector<std::string> children(hid_t group) {
  std::vector<std::string> names;
  H5Literate(
      group, H5_INDEX_NAME, H5_ITER_INC, nullptr,
      [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
        static_cast<std::vector<std::string>*>(out)->push_back(name);
        return 0;
      },
      &names);
  return names;
}

void append_datasets(hid_t group, const std::string& prefix, std::vector<std::string>& out) {
  for (const std::string& name : children(group)) {
    const Handle child(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose);
    if (H5Iget_type(child) == H5I_DATASET) out.push_back(prefix + name);
    if (H5Iget_type(child) == H5I_GROUP) append_datasets(child, prefix + name + "/", out);
  }
}

Handle space_of(const Shape& shape) {
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  return Handle(shape.rank() == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(shape.rank(), extents.data(), nullptr),
                H5Sclose);
}

Handle groups_on_the_way() {
  Handle list(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(list, 1);
  return list;
}

// Chunks of whole rows of about 256 KiB: a batch of rows is read without unpacking much else, and gzip has enough to
// find what repeats. Shuffle puts the equal upper bytes of small integers side by side.
Handle compression(const Shape& shape, std::size_t element_bytes) {
  constexpr Index chunk_bytes = 256 * 1024, few_bytes = 4096;
  Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  const Index bytes = shape.size() * static_cast<Index>(element_bytes);
  if (shape.rank() == 0 || bytes <= few_bytes) return list;
  std::vector<hsize_t> chunk(shape.begin(), shape.end());
  chunk[0] = static_cast<hsize_t>(std::clamp<Index>(chunk_bytes / (bytes / shape[0]), 1, shape[0]));
  H5Pset_chunk(list, shape.rank(), chunk.data());
  H5Pset_shuffle(list);
  H5Pset_deflate(list, 6);
  return list;
}

void write_dataset(const Reader& file, const std::string& name, const Shape& shape, hid_t type, const void* values,
                   const Handle& creation) {
  if (file.has(name)) file.fail(name, "is there already");
  const Handle space = space_of(shape), links = groups_on_the_way();
  const Handle dataset(H5Dcreate2(file.file, name.c_str(), type, space, links, creation, H5P_DEFAULT), H5Dclose);
  if (dataset < 0) file.fail(name, "can't be created" + reason());
  if (shape.size() > 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
    file.fail(name, "can't be written" + reason());
  }
}

template <class T>
void write_numbers(const Reader& file, const std::string& name, const Shape& shape, const std::vector<T>& values,
                   const Handle& creation) {
  if (static_cast<Index>(values.size()) != shape.size()) {
    throw ShapeError(file.path, ": `", name, "` of shape ", shape, " wants ", shape.size(), " values, not ",
                     values.size());
  }
  write_dataset(file, name, shape, native(values.data()), values.data(), creation);
}

Handle default_creation() { return Handle(H5Pcreate(H5P_DATASET_CREATE), H5Pclose); }

Handle string_type() {
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

void set_attribute(const Reader& file, const std::string& object, const std::string& name, const Shape& shape,
                   hid_t type, const void* value) {
  const Handle owner = file.object(object), space = space_of(shape);
  if (H5Aexists(owner, name.c_str()) > 0) H5Adelete(owner, name.c_str());
  const Handle attribute(H5Acreate2(owner, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (attribute < 0 || H5Awrite(attribute, type, value) < 0) {
    file.fail(object, "can't be given the attribute `" + name + "`" + reason());
  }
}

}  // namespace

Hdf5File Hdf5File::open(const std::string& path) {
  silence();
  if (std::filesystem::is_directory(path)) throw Error(path, ": is a folder, not an HDF5 file");
  if (::access(path.c_str(), R_OK) != 0) throw Error(path, ": can't be read: ", std::strerror(errno));
  if (H5Fis_hdf5(path.c_str()) <= 0) throw Error(path, ": is not an HDF5 file");
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) throw Error(path, ": can't be opened: the HDF5 file is truncated or damaged", reason());
  return Hdf5File(path, file);
}

Hdf5File Hdf5File::create(const std::string& path) {
  silence();
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  if (file < 0) throw Error(path, ": can't be created", reason());
  return Hdf5File(path, file);
}

Hdf5File::Hdf5File(Hdf5File&& other) noexcept : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

Hdf5File& Hdf5File::operator=(Hdf5File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  return *this;
}

Hdf5File::~Hdf5File() {
  if (file_ >= 0) H5Fclose(file_);
}

void Hdf5File::close() {
  if (file_ < 0) return;
  const bool flushed = H5Fflush(file_, H5F_SCOPE_LOCAL) >= 0;
  const std::string why = flushed ? "" : reason();
  const bool closed = H5Fclose(std::exchange(file_, -1)) >= 0;
  if (!flushed || !closed) throw Error(path_, ": can't be written", flushed ? reason() : why);
}

bool Hdf5File::has(const std::string& object) const { return Reader{path_, file_}.has(object); }

std::vector<std::string> Hdf5File::list(const std::string& group) const {
  return children(Reader{path_, file_}.group(group));
}

std::vector<std::string> Hdf5File::datasets(const std::string& group) const {
  std::vector<std::string> names;
  append_datasets(Reader{path_, file_}.group(group), "", names);
  return names;
}

Shape Hdf5File::shape(const std::string& name) const {
  const Reader reader{path_, file_};
  const Handle dataset = reader.dataset(name), space(H5Dget_space(dataset), H5Sclose);
  return shape_of(reader, name, space);
}

std::string Hdf5File::type(const std::string& name) const {
  return type_name(type_of(Reader{path_, file_}.dataset(name)));
}

Tensor Hdf5File::read_tensor(const std::string& name) const {
  const Reader reader{path_, file_};
  const Handle dataset = reader.dataset(name), space(H5Dget_space(dataset), H5Sclose), type = type_of(dataset);
  if (!is_number(type)) reader.fail(name, "is " + type_name(type) + ", wants numbers");
  Tensor values = Tensor::uninitialized(shape_of(reader, name, space));
  read_all(reader, name, dataset, native(values.data()), values.data());
  return values;
}

std::vector<double> Hdf5File::read_doubles(const std::string& dataset) const {
  return read_numbers<double>({path_, file_}, dataset, is_number, "numbers");
}

std::vector<Index> Hdf5File::read_int64(const std::string& dataset) const {
  return read_numbers<Index>({path_, file_}, dataset, is_integer, "integers");
}

std::vector<std::uint8_t> Hdf5File::read_uint8(const std::string& dataset) const {
  const Shape extents = shape(dataset);
  return read_uint8(dataset, 0, extents.rank() == 0 ? 1 : extents[0]);
}

std::vector<std::uint8_t> Hdf5File::read_uint8(const std::string& name, Index first, Index last) const {
  const Reader reader{path_, file_};
  const Handle dataset = reader.dataset(name), space(H5Dget_space(dataset), H5Sclose), type = type_of(dataset);
  if (type_name(type) != "uint8") reader.fail(name, "is " + type_name(type) + ", wants uint8");
  const Shape all = shape_of(reader, name, space);
  const Index rows = all.rank() == 0 ? 1 : all[0];
  if (first < 0 || last < first || last > rows)
    reader.fail(name, concat("has no rows ", first, " to ", last, " of ", rows));
  const Shape part = all.rank() == 0 ? all : all.with(0, last - first);
  std::vector<std::uint8_t> values(static_cast<std::size_t>(part.size()));
  if (values.empty()) return values;
  const Handle memory = space_of(part);
  if (all.rank() > 0) {
    std::vector<hsize_t> start(static_cast<std::size_t>(all.rank())), count(part.begin(), part.end());
    start[0] = static_cast<hsize_t>(first);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  }
  if (H5Dread(dataset, H5T_NATIVE_UINT8, memory, space, H5P_DEFAULT, values.data()) < 0) {
    reader.fail(name, "can't be read: the file is truncated or damaged" + reason());
  }
  return values;
}

std::vector<std::string> Hdf5File::read_strings(const std::string& dataset) const {
  const Reader reader{path_, file_};
  return read_all_strings(reader, dataset, reader.dataset(dataset));
}

void Hdf5File::write_tensor(const std::string& dataset, const Tensor& values) {
  write_dataset({path_, file_}, dataset, values.shape(), native(values.data()), values.data(), default_creation());
}

void Hdf5File::write_doubles(const std::string& dataset, const Shape& shape, const std::vector<double>& values) {
  write_numbers({path_, file_}, dataset, shape, values, default_creation());
}

void Hdf5File::write_int64(const std::string& dataset, const Shape& shape, const std::vector<Index>& values) {
  write_numbers({path_, file_}, dataset, shape, values, compression(shape, sizeof(Index)));
}

void Hdf5File::write_uint8(const std::string& dataset, const Shape& shape, const std::vector<std::uint8_t>& values) {
  write_numbers({path_, file_}, dataset, shape, values, compression(shape, 1));
}

void Hdf5File::write_strings(const std::string& dataset, const std::vector<std::string>& values) {
  const auto texts = pointers(values);
  write_dataset({path_, file_}, dataset, {static_cast<Index>(texts.size())}, string_type(), texts.data(),
                default_creation());
}

void Hdf5File::make_group(const std::string& group) {
  if (has(group)) return;
  const Handle links = groups_on_the_way();
  const Handle made(H5Gcreate2(file_, group.c_str(), links, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  if (made < 0) throw Error(path_, ": the group `", group, "` can't be created", reason());
}

std::vector<std::string> Hdf5File::attributes(const std::string& object) const {
  std::vector<std::string> names;
  H5Aiterate2(
      Reader{path_, file_}.object(object), H5_INDEX_NAME, H5_ITER_INC, nullptr,
      [](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
        static_cast<std::vector<std::string>*>(out)->push_back(name);
        return 0;
      },
      &names);
  return names;
}

bool Hdf5File::has_attribute(const std::string& object, const std::string& name) const {
  return H5Aexists(Reader{path_, file_}.object(object), name.c_str()) > 0;
}

std::string Hdf5File::read_string_attribute(const std::string& object, const std::string& name) const {
  const auto strings = read_strings_attribute(object, name);
  if (strings.size() == 1) return strings[0];
  throw Error(path_, ": `", object, "` has an attribute `", name, "` of ", strings.size(), " strings, wants one");
}

std::vector<std::string> Hdf5File::read_strings_attribute(const std::string& object, const std::string& name) const {
  const Reader reader{path_, file_};
  return read_all_strings(reader, object + "@" + name, reader.attribute(object, name));
}

Index Hdf5File::read_int_attribute(const std::string& object, const std::string& name) const {
  return read_number_attribute<Index>({path_, file_}, object, name, is_integer, "one integer");
}

double Hdf5File::read_double_attribute(const std::string& object, const std::string& name) const {
  return read_number_attribute<double>({path_, file_}, object, name, is_number, "one number");
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name, std::string_view value) {
  make_group(object);
  const std::string text(value);
  const char* pointer = text.c_str();
  set_attribute({path_, file_}, object, name, {}, string_type(), &pointer);
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name,
                               const std::vector<std::string>& values) {
  make_group(object);
  const auto texts = pointers(values);
  set_attribute({path_, file_}, object, name, {static_cast<Index>(texts.size())}, string_type(), texts.data());
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name, double value) {
  make_group(object);
  set_attribute({path_, file_}, object, name, {}, H5T_NATIVE_DOUBLE, &value);
}

void Hdf5File::write_int_attribute(const std::string& object, const std::string& name, Index value) {
  make_group(object);
  set_attribute({path_, file_}, object, name, {}, H5T_NATIVE_INT64, &value);
}

}  // namespace reverie::inline REVERIE_PRECISION
