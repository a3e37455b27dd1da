#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "data/dataset.h"
#include "data/hdf5.h"

namespace reverie::inline REVERIE_PRECISION {

/// A dataset with a file: an ImageSet or a PointSet. Both are HDF5 files with the root attributes name, source and
/// licence and, if there are classes, a dataset `labels` (int64, N) with the attribute `class_names`.
struct StoredSet : Dataset {
  std::string source, licence;

  /// Throws Error, naming `where`, if the parts do not fit together.
  virtual void validate(const std::string& where) const = 0;
  /// Writes the file atomically. Throws Error if the parts do not fit together or the file can't be written.
  void save(const std::string& path) const;

 protected:
  virtual void write(Hdf5File& file) const = 0;  ///< writes the samples; save() adds labels and attributes
  void read_labels(const Hdf5File& file, Index count, Index first);  ///< of a file with `count` samples
  void validate_labels(const std::string& where) const;
};

/// Throws Error unless a dataset of the file is a list with a value for each of `count` samples.
void require_list(const Hdf5File& file, const std::string& dataset, Index count);

/// Loads an image set or a point set, all of it or the first samples. Throws Error for any other file.
std::unique_ptr<StoredSet> load_dataset(const std::string& path, Index first = all_samples);

/// The seeds of `toy:NAME`: for the points a model is trained on, and for those it is evaluated on.
inline constexpr std::uint64_t toy_train = 0, toy_held_out = 1;

/// Opens a dataset by its name in a configuration: a file, or `toy:NAME` for 10,000 points of that distribution, drawn
/// with the seed. An image set with more than `memory` bytes of pixels stays in its file (StreamedImageSet); 0: no
/// limit. Throws UsageError for an unknown distribution.
std::unique_ptr<Dataset> open_dataset(const std::string& file_or_toy, std::uint64_t toy_seed, Index memory = 0);

}  // namespace reverie::inline REVERIE_PRECISION
