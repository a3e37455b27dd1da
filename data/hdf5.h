#pragma once
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/state_dict.h"

namespace reverie::inline REVERIE_PRECISION {

/// An HDF5 file. Objects are named by paths from the root ("weights/out.2.bias"; "/" is the root itself). Every failure
/// is an Error of one line that names the file, the object and what is wrong with it. The HDF5 library is not
/// thread-safe as it is commonly built: use files from one thread at a time, all of them.
class Hdf5File {
 public:
  /// Whether there is a file, and it is HDF5.
  static bool is_hdf5(const std::string& path);
  /// Opens for reading. Throws Error for a file that is missing, not HDF5, truncated or damaged.
  static Hdf5File open(const std::string& path);
  /// Starts a new file, in place of any that was there. It is put together in memory and written by close(): the HDF5
  /// library itself does not survive a full disk. For files that must not be lost see data/atomic_file.h.
  static Hdf5File create(const std::string& path);

  Hdf5File(Hdf5File&& other) noexcept;
  Hdf5File& operator=(Hdf5File&& other) noexcept;
  ~Hdf5File();  ///< a new file that was not closed has not been written
  /// Writes a new file, and closes. Throws Error if that fails, as it does on a full disk.
  void close();
  const std::string& path() const { return path_; }

  bool has(const std::string& object) const;
  /// The names directly in a group, sorted.
  std::vector<std::string> list(const std::string& group = "/") const;
  /// All datasets below a group, by their paths from it, sorted group by group.
  std::vector<std::string> datasets(const std::string& group = "/") const;
  Shape shape(const std::string& dataset) const;
  /// "uint8", "int64", "float32", "float64", "string", ... ("other" for compound types and the like).
  std::string type(const std::string& dataset) const;

  /// Any integers or floats, converted.
  Tensor read_tensor(const std::string& dataset) const;
  std::vector<double> read_doubles(const std::string& dataset) const;
  /// Any integers; a dataset of floats is an Error.
  std::vector<Index> read_int64(const std::string& dataset) const;
  /// Bytes, all or rows [first, last) along axis 0; any other type is an Error.
  std::vector<std::uint8_t> read_uint8(const std::string& dataset) const;
  std::vector<std::uint8_t> read_uint8(const std::string& dataset, Index first, Index last) const;
  std::vector<std::string> read_strings(const std::string& dataset) const;
  /// Integers, floats (bfloat16 too) and h5py's booleans, no bit changed; any other type is an Error.
  StoredTensor read_stored(const std::string& dataset) const;

  /// Each makes a new dataset, and the groups on the way to it. Throws Error if the name is taken.
  /// Integers are compressed (chunks of whole rows, shuffle, gzip) unless they are few; reals are stored as they are.
  /// All has checksums, so that damage is an Error when it is read.
  void write_tensor(const std::string& dataset, const Tensor& values);
  void write_doubles(const std::string& dataset, const Shape& shape, const std::vector<double>& values);
  void write_int64(const std::string& dataset, const Shape& shape, const std::vector<Index>& values);
  void write_uint8(const std::string& dataset, const Shape& shape, const std::vector<std::uint8_t>& values);
  void write_strings(const std::string& dataset, const std::vector<std::string>& values);  ///< UTF-8
  /// Under types that h5py knows: booleans are its enumeration, bfloat16 a float that it reads as float32.
  void write_stored(const std::string& dataset, const StoredTensor& values);

  std::vector<std::string> attributes(const std::string& object) const;
  bool has_attribute(const std::string& object, const std::string& name) const;
  bool attribute_is_string(const std::string& object, const std::string& name) const;  ///< a single one
  /// A single string, whether of fixed or variable length, null-terminated, null-padded or space-padded.
  std::string read_string_attribute(const std::string& object, const std::string& name) const;
  std::vector<std::string> read_strings_attribute(const std::string& object, const std::string& name) const;
  Index read_int_attribute(const std::string& object, const std::string& name) const;
  double read_double_attribute(const std::string& object, const std::string& name) const;  ///< an integer will do

  /// Set an attribute, in place of one of the same name. An object that doesn't exist is made, as a group.
  void write_attribute(const std::string& object, const std::string& name, std::string_view value);
  void write_attribute(const std::string& object, const std::string& name, const std::vector<std::string>& values);
  void write_attribute(const std::string& object, const std::string& name, double value);
  template <std::integral T>
  void write_attribute(const std::string& object, const std::string& name, T value) {
    write_int_attribute(object, name, static_cast<Index>(value));
  }

 private:
  Hdf5File(std::string path, std::int64_t file, bool writing)
      : path_(std::move(path)), file_(file), writing_(writing) {}
  void write_int_attribute(const std::string& object, const std::string& name, Index value);

  std::string path_;
  std::int64_t file_ = -1;  // HDF5's hid_t; -1 when closed
  bool writing_ = false;
};

}  // namespace reverie::inline REVERIE_PRECISION
