#pragma once
#define H5_USE_110_API  // HDF5 1.12 and later changed some of its functions
#include <hdf5.h>       // included here and in hdf5_types.cpp only

#include <optional>
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
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// Says why the HDF5 call just before failed: "the file is truncated or damaged (HDF5: ...)", a lock, too little
/// memory.
std::string cause_of_failure();

/// The objects of an open file, by their paths from the root. Soft links are followed inside the file; other files are
/// never opened: external and user-defined links, virtual datasets and external storage are errors. Throws Error,
/// naming the object, for these and for an object that is missing or of another kind.
struct Objects {
  const std::string& path;
  hid_t file;

  template <class... Parts>
  [[noreturn]] void fail(const std::string& name, const Parts&... what) const {
    throw Error(path, ": `", name, "` ", what...);
  }

  bool has(const std::string& name) const { return find(name) >= 0; }
  Handle object(const std::string& name) const;
  Handle group(const std::string& name) const;
  Handle dataset(const std::string& name) const;
  Handle attribute(const std::string& object, const std::string& name) const;

  std::vector<std::string> children(const std::string& group) const;
  /// All datasets in and below a group, as paths from it. Throws Error for groups that lead back to themselves, that
  /// have two names or are nested too deeply, and for datasets larger in all than the file can hold.
  std::vector<std::string> datasets_below(const std::string& group) const;
  std::vector<std::string> attributes(const std::string& object) const;

  /// Opens the object that a link in a group leads to. `name` is its path, for errors. Negative if there is no such
  /// link.
  Handle follow(hid_t group, const std::string& link, const std::string& name, int links_followed = 0) const;
  double file_bytes() const;

 private:
  Handle find(const std::string& name) const;  // negative if it is missing
  Handle walk(hid_t from, const std::string& path, const std::string& name, int links_followed) const;
};

/// Throws Error if strings of variable length can't be read safely. Call it before reading any.
void require_sound_heaps(const Objects& objects);

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
    return of_dataset(objects, name, objects.dataset(name), accepts, expected);
  }
  static Values of_dataset(const Objects& objects, const std::string& name, Handle dataset,
                           bool accepts(H5T_class_t) = any_type, const char* expected = "anything");
  static Values of_bytes(const Objects& objects, const std::string& name);
  static Values of_attribute(const Objects& objects, const std::string& object, const std::string& name,
                             bool accepts(H5T_class_t), const char* expected);

  const Shape& shape() const { return shape_; }
  std::string type_name() const;
  /// The size of all values, without the text of strings of variable length.
  double bytes() const { return static_cast<double>(shape_.size()) * static_cast<double>(H5Tget_size(type_)); }
  /// The values of any type as text: strings, or the bytes of numbers. For checksums.
  std::vector<std::string> raw() const;

  void read(hid_t memory_type, void* out, hid_t memory_space = H5S_ALL, hid_t file_space = H5S_ALL,
            hid_t transfer = H5P_DEFAULT) const;

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

  Index chunk_rows() const;  // of a dataset
  std::vector<std::uint8_t> byte_rows(Index first, Index last) const;
  std::vector<std::string> strings() const;
  StoredTensor stored() const;

 private:
  Values(const Objects& objects, std::string name, Handle object, hid_t type(hid_t), hid_t space(hid_t),
         bool accepts(H5T_class_t), const char* expected);
  std::vector<std::string> variable_strings() const;

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

/// Creates a file on disk, replacing any of that name; negative if that fails.
hid_t create_on_disk(const std::string& path);

enum class Storage { plain, compressed };

/// Writes a new dataset of `count` values; `type` is their type in memory and in the file.
void write_values(const Objects& objects, const std::string& name, const Shape& shape, Index count, hid_t type,
                  const void* values, Storage storage = Storage::plain);
/// Creates a dataset without values; returns its position in the file.
Index reserve_values(const Objects& objects, const std::string& name, const Shape& shape, hid_t type);
/// Sets an attribute, replacing any of that name. An object that doesn't exist is created, as a group.
void set_attribute(const Objects& objects, const std::string& object, const std::string& name, const Shape& shape,
                   hid_t type, const void* value);
/// Strings in the type and layout in which they are written: UTF-8, all of the length of the longest, padded with
/// zeros. HDF5 stores strings of variable length apart, without checksums, and crashes on damaged ones.
struct FixedStrings {
  explicit FixedStrings(const std::vector<std::string>& strings);
  Handle type;
  std::vector<char> bytes;
};

}  // namespace reverie::inline REVERIE_PRECISION
