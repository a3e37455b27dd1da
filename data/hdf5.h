#pragma once
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/state_dict.h"

namespace reverie::inline REVERIE_PRECISION {

/// An HDF5 file. Objects are named by paths from the root ("weights/out.2.bias"; "/" is the root itself). Every failure
/// throws an Error of one line with the file, the object and the cause. Reading never opens another file: links to
/// other files, virtual datasets and external storage are errors. So are datasets larger than the file can hold. The
/// HDF5 library is usually not built thread-safe: use all HDF5 files of a process from one thread at a time.
class Hdf5File {
 public:
  /// Whether the file exists and is HDF5.
  static bool is_hdf5(const std::string& path);
  /// Opens for reading. Throws Error for a file that is missing, not HDF5, truncated or damaged.
  static Hdf5File open(const std::string& path);
  /// Starts a new file, replacing any of that name. It is built in memory and written by close(), because the HDF5
  /// library itself does not survive a full disk. For files that must not be lost see data/atomic_file.h.
  static Hdf5File create(const std::string& path);

  /// The same in the file `place`, written as the datasets come and closed by the destructor; errors name `path`. For
  /// Hdf5Pieces.
  static Hdf5File create_sparse(const std::string& path, const std::string& place);
  /// Creates a dataset of reals without values, and returns its position in the file, in bytes.
  Index reserve_tensor(const std::string& dataset, const Shape& shape);

  Hdf5File(Hdf5File&& other) noexcept;
  Hdf5File& operator=(Hdf5File&& other) noexcept;
  ~Hdf5File();  ///< discards a new file that was not closed
  /// Writes a new file and closes it. Throws Error if that fails (a full disk).
  void close();
  const std::string& path() const { return path_; }

  bool has(const std::string& object) const;
  /// The names in a group, sorted.
  std::vector<std::string> list(const std::string& group = "/") const;
  /// All datasets in and below a group, as paths from it, sorted group by group.
  std::vector<std::string> datasets(const std::string& group = "/") const;
  Shape shape(const std::string& dataset) const;
  /// The number of rows (of axis 0) that are stored together, and read together if they are compressed; 1 if rows are
  /// stored one after the other.
  Index chunk_rows(const std::string& dataset) const;
  /// "uint8", "int64", "float32", "float64", "string", "bool"; a description for compound types and the like.
  std::string type(const std::string& dataset) const;

  /// Any integers or floats, converted to `real` or double.
  Tensor read_tensor(const std::string& dataset) const;
  std::vector<double> read_doubles(const std::string& dataset) const;
  /// Any integers; a dataset of floats is an Error.
  std::vector<Index> read_int64(const std::string& dataset) const;
  /// Bytes, all or rows [first, last) of axis 0; any other type is an Error.
  std::vector<std::uint8_t> read_uint8(const std::string& dataset) const;
  std::vector<std::uint8_t> read_uint8(const std::string& dataset, Index first, Index last) const;
  std::vector<std::string> read_strings(const std::string& dataset) const;
  /// Integers, floats (bfloat16 too) and h5py's booleans, bit for bit; any other type is an Error.
  StoredTensor read_stored(const std::string& dataset) const;

  /// These create a dataset, and the groups in its path. They throw Error if the name is taken.
  /// Integers and strings are compressed (chunks of whole rows, shuffle, gzip) unless they are few; reals are not.
  /// Values, names and shapes have checksums, so reading damaged ones is an Error.
  void write_tensor(const std::string& dataset, const Tensor& values);
  void write_doubles(const std::string& dataset, const Shape& shape, const std::vector<double>& values);
  void write_int64(const std::string& dataset, const Shape& shape, const std::vector<Index>& values);
  void write_uint8(const std::string& dataset, const Shape& shape, const std::vector<std::uint8_t>& values);
  void write_strings(const std::string& dataset, const std::vector<std::string>& values);  ///< UTF-8, of fixed length
  /// In types that h5py knows: booleans are its enumeration, bfloat16 is a float type that it reads as float32.
  void write_stored(const std::string& dataset, const StoredTensor& values);

  std::vector<std::string> attributes(const std::string& object) const;
  bool has_attribute(const std::string& object, const std::string& name) const;
  bool attribute_is_string(const std::string& object, const std::string& name) const;  ///< a single string
  /// A single string of fixed or variable length, null-terminated, null-padded or space-padded.
  std::string read_string_attribute(const std::string& object, const std::string& name) const;
  std::vector<std::string> read_strings_attribute(const std::string& object, const std::string& name) const;
  Index read_int_attribute(const std::string& object, const std::string& name) const;
  double read_double_attribute(const std::string& object, const std::string& name) const;  ///< or an integer

  /// These set an attribute, replacing any of that name. An object that doesn't exist is created, as a group.
  void write_attribute(const std::string& object, const std::string& name, std::string_view value);
  void write_attribute(const std::string& object, const std::string& name, const std::vector<std::string>& values);
  void write_attribute(const std::string& object, const std::string& name, double value);
  template <std::integral T>
  void write_attribute(const std::string& object, const std::string& name, T value) {
    write_int_attribute(object, name, value);
  }

  /// Adds a checksum over all attributes of an object, once they are written. (HDF5 has one for small attributes only.)
  void write_checksum(const std::string& object);
  /// Throws Error if the attributes are not those that write_checksum() saw. Accepts objects without a checksum.
  void require_checksum(const std::string& object) const;

 private:
  Hdf5File(std::string path, std::int64_t file, bool writing)
      : path_(std::move(path)), file_(file), writing_(writing) {}
  void write_int_attribute(const std::string& object, const std::string& name, Index value);

  std::string path_;
  std::int64_t file_ = -1;  // HDF5's hid_t; -1 when closed
  bool writing_ = false;
};

}  // namespace reverie::inline REVERIE_PRECISION
