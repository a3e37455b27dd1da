#pragma once
#include <unistd.h>

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "data/hdf5.h"

namespace reverie::inline REVERIE_PRECISION {

/// A file descriptor that closes itself; negative for none.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

/// An HDF5 file with datasets of reals that are written piece by piece, so that they may be larger than memory. (An
/// Hdf5File is built in memory.) These datasets lie in the file as they are, without checksums.
class Hdf5Pieces {
 public:
  /// Writes a file with these datasets, whose values are 0, and with what `others` writes. Throws Error if the disk has
  /// no room for all of it: a full disk is found before the values are computed.
  Hdf5Pieces(std::string path, const std::map<std::string, Shape>& datasets,
             const std::function<void(Hdf5File&)>& others);

  /// Writes values to a dataset, from its element number `first` on. Several threads may write different elements.
  /// Throws Error if the dataset has no such elements, or if they can't be written.
  void write(const std::string& dataset, Index first, const Tensor& values) const;
  double bytes() const { return bytes_; }  ///< of the whole file

 private:
  struct Place {
    Index position, size;  // in bytes, in elements
  };
  std::string path_;
  Descriptor file_;
  double bytes_ = 0;
  std::map<std::string, Place> places_;
};

}  // namespace reverie::inline REVERIE_PRECISION
