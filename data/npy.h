#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/split.h"

namespace reverie::inline REVERIE_PRECISION {

/// An array of NumPy's, in C order. Formats: numpy.org/doc/stable/reference/generated/numpy.lib.format.html
struct NpyArray {
  std::string type;  ///< NumPy's name without byte order: u1, i8, f4, ...; values are little-endian
  std::vector<Index> extents;
  std::vector<char> bytes;

  static NpyArray of(const Tensor& tensor);                                                 ///< f4 or f8, as `real`
  static NpyArray of(std::vector<Index> extents, const std::vector<Index>& values);         ///< i8
  static NpyArray of(std::vector<Index> extents, const std::vector<std::uint8_t>& values);  ///< u1
  Index count() const;          ///< the product of the extents
  double value(Index i) const;  ///< as a double, which is exact for whole numbers up to 2^53
};

/// Reads an array X.npy of whole or real numbers of 1 to 8 bytes. Throws Error for a file that is missing, damaged or
/// truncated, and for other types and orders.
NpyArray read_npy(const std::string& path);
/// Reads the arrays of X.npz, a ZIP archive, by name. Throws Error for a file that is missing or damaged, claims more
/// bytes than it can hold, or contains anything else.
std::map<std::string, NpyArray> read_npz(const std::string& path);
/// Writes arrays to X.npz atomically, as numpy.savez does. Throws Error if the file can't be written.
void write_npz(const std::string& path, const std::map<std::string, NpyArray>& arrays);

struct NpyImageOptions {
  std::vector<double> range = {};             ///< the values that become black and white; empty: 0 and 255
  bool channels_first = false;                ///< images are [N,C,H,W]
  std::vector<std::string> class_names = {};  ///< of the labels 0, 1, ...; empty: the numbers
};
/// Makes an image set of an array of images [N,H,W] or [N,H,W,C] and labels [N] (null: none). Throws Error, naming
/// `where`, for other shapes, values that are not finite or, without a range, not whole numbers from 0 to 255, and
/// labels without a class.
ImageSet images_from(const NpyArray& images, const NpyArray* labels, const NpyImageOptions& options,
                     const std::string& where);

}  // namespace reverie::inline REVERIE_PRECISION
