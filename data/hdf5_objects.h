#pragma once
#include <hdf5.h>  // included here and in hdf5_types.cpp only

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "data/room.h"
#include "data/state_dict.h"

/// HDF5's C functions with errors that name the file and the object. Implements data/hdf5.cpp; include it nowhere else.
namespace reverie::inline REVERIE_PRECISION {

/// An HDF5 identifier that closes itself. It is negative if HDF5 returned a failure.
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

/// The objects of an open file, by their paths from the root. Throws Error for a missing object or one of another kind.
struct Objects {
  const std::string& path;
  hid_t file;

  template <class... Parts>
  [[noreturn]] void fail(const std::string& name, const Parts&... what) const {
    throw Error(path, ": `", name, "` ", what...);
  }

  bool has(const std::string& name) const;
  Handle object(const std::string& name) const;
  Handle group(const std::string& name) const;
  Handle dataset(const std::string& name) const;
  Handle attribute(const std::string& object, const std::string& name) const;

  std::vector<std::string> children(const std::string& group) const;
  /// All datasets in and below a group, as paths from it.
  std::vector<std::string> datasets_below(const std::string& group) const;
  std::vector<std::string> attributes(const std::string& object) const;
};

inline bool any_type(H5T_class_t) { return true; }
inline bool is_integer(H5T_class_t type) { return type == H5T_INTEGER; }
inline bool is_number(H5T_class_t type) { return type == H5T_INTEGER || type == H5T_FLOAT; }
inline bool is_string(H5T_class_t type) { return type == H5T_STRING; }

/// The HDF5 type of a C++ type.
template <class T>
hid_t native(const T*) {
  if constexpr (std::is_same_v<T, double>) return H5T_NATIVE_DOUBLE;
  if constexpr (std::is_same_v<T, float>) return H5T_NATIVE_FLOAT;
  if constexpr (std::is_same_v<T, Index>) return H5T_NATIVE_INT64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return H5T_NATIVE_UINT8;
}

/// The values of a dataset or an attribute: their type and shape, and functions to read them.
class Values {
 public:
  static Values of_dataset(const Objects& objects, const std::string& name, bool accepts(H5T_class_t) = any_type,
                           const char* expected = "anything") {
    return {objects, name, objects.dataset(name), H5Dget_type, H5Dget_space, accepts, expected};
  }
  static Values of_bytes(const Objects& objects, const std::string& name);
  static Values of_attribute(const Objects& objects, const std::string& object, const std::string& name,
                             bool accepts(H5T_class_t), const char* expected) {
    return {objects, object + "@" + name, objects.attribute(object, name), H5Aget_type, H5Aget_space, accepts,
            expected};
  }

  const Shape& shape() const { return shape_; }
  std::string type_name() const;

  void read(hid_t memory_type, void* out, hid_t memory_space = H5S_ALL, hid_t file_space = H5S_ALL) const;

  template <class T>
  std::vector<T> numbers() const {
    std::vector<T> values = room<T>(shape_.size());
    read(native(values.data()), values.data());
    return values;
  }

  template <class T>
  T number() const {
    if (shape_.size() != 1) objects_.fail(name_, "has ", shape_.size(), " values, expected one");
    return numbers<T>()[0];
  }

  std::vector<std::uint8_t> byte_rows(Index first, Index last) const;
  std::vector<std::string> strings() const;
  StoredTensor stored() const;

 private:
  Values(const Objects& objects, std::string name, Handle object, hid_t type(hid_t), hid_t space(hid_t),
         bool accepts(H5T_class_t), const char* expected);

  template <class T>
  std::vector<T> room(std::size_t count) const {
    return room_for<T>(count, concat(objects_.path, ": `", name_, "` of shape ", shape_));
  }

  Objects objects_;
  std::string name_;
  Handle object_, type_, space_;
  Shape shape_;
};

/// Creates a file in memory, never on disk; negative if that fails.
hid_t create_in_memory(const std::string& path);

enum class Storage { plain, compressed };

/// Writes a new dataset of `count` values; `type` is their type in memory and in the file.
void write_values(const Objects& objects, const std::string& name, const Shape& shape, Index count, hid_t type,
                  const void* values, Storage storage = Storage::plain);
/// Sets an attribute, replacing any of that name. An object that doesn't exist is created, as a group.
void set_attribute(const Objects& objects, const std::string& object, const std::string& name, const Shape& shape,
                   hid_t type, const void* value);
/// The type of UTF-8 strings of any length.
Handle text_type();

}  // namespace reverie::inline REVERIE_PRECISION
