#pragma once
#include <memory>
#include <string>
#include <vector>

#include "apps/files.h"
#include "data/stored_set.h"

namespace reverie::inline REVERIE_PRECISION {

/// The data of `reverie train --data`.
struct OwnDataOptions {
  std::string data;   ///< a folder of pictures, an image set, a point set, or toy:NAME
  std::string size;   ///< HxW, to crop and resample images to; empty: chosen
  Shape like = {};    ///< of a checkpoint to fine-tune; pictures of a folder are brought to this size
  bool split = true;  ///< hold out a part for validation
  Index memory = 0;   ///< bytes of pixels, as in open_dataset: larger sets stay in their file
};

/// A training set and a held-out set, and the names by which a run's configuration opens them.
struct OwnData {
  std::unique_ptr<Dataset> train, held_out;  ///< held_out may be null
  std::string train_name, held_out_name;
  std::string text;   ///< describes them
  bool kept = false;  ///< in the run's folder, because they were imported or split

  /// Writes the sets that are kept in the run's folder.
  void save() const;
  std::vector<std::string> files() const;  ///< that save() writes
};

/// Reads the data for a new run. Pictures of a folder are imported: cropped and resampled to 32x32 unless they are
/// small, with their subfolders as classes. A tenth of the samples, in random order, is held out if there are 20 or
/// more. What was imported or split is kept in the run's folder, so that the run can be resumed without the pictures;
/// sets larger than the memory are neither split nor copied. Throws UsageError for anything else.
OwnData read_own_data(const OwnDataOptions& options, const RunFolder& folder);

}  // namespace reverie::inline REVERIE_PRECISION
