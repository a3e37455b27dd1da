#pragma once
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/hdf5.h"
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

inline constexpr Index all_samples = std::numeric_limits<Index>::max();

/// What a model learns from: samples, perhaps with labels, and where they come from. An ImageSet or a PointSet; both
/// are HDF5 files with the optional dataset `labels` (int64, N, attribute `class_names`) and root attributes name,
/// source, licence.
struct Dataset {
  std::vector<Index> labels;             ///< one a sample, a position in class_names; or none at all
  std::vector<std::string> class_names;  ///< empty if there are no labels
  std::string name, source, licence;

  virtual ~Dataset() = default;
  virtual Index size() const = 0;
  virtual Shape sample_shape() const = 0;  ///< [H,W,C] or [2]
  /// The samples at these positions, [n, sample_shape], in the range that models work in (images: [-1,1]).
  virtual Tensor batch(std::span<const Index> indices) const = 0;
  /// Throws Error, naming `where`, if the parts do not fit together.
  virtual void validate(const std::string& where) const = 0;
  /// Writes the file atomically. Throws Error if the parts do not fit together or the file can't be written.
  void save(const std::string& path) const;

 protected:
  virtual void write(Hdf5File& file) const = 0;
  void read_labels(const Hdf5File& file, Index first);
  void validate_labels(const std::string& where) const;
};

/// Opens an image set or a point set, whichever the file is; of large ones the first samples only, if you like.
/// Throws Error for any other file.
std::unique_ptr<Dataset> load_dataset(const std::string& path, Index first = all_samples);

/// Seeds of the points that `toy:NAME` stands for, where a model is trained and where it is judged.
inline constexpr std::uint64_t toy_train = 0, toy_held_out = 1;

/// What a configuration names: a file, or `toy:NAME` for 10,000 points of that distribution, drawn with the seed (so
/// that a held-out set can be another draw). Throws UsageError for a distribution that doesn't exist.
std::unique_ptr<Dataset> open_dataset(const std::string& file_or_toy, std::uint64_t toy_seed);

}  // namespace reverie::inline REVERIE_PRECISION
