#pragma once
#include "data/image_set.h"

namespace reverie::inline REVERIE_PRECISION {

/// Reads images in MNIST's IDX format, plain or gzipped: big-endian, magic 0x00000803, extents N,H,W, then bytes. Reads
/// labels (magic 0x00000801, extent N) unless the path is empty. Without `class_names`, the names are the class
/// numbers. Takes the first `first` images. Throws Error for a file that is missing, truncated, too long or of another
/// kind, and for labels that do not fit. Format: yann.lecun.com/exdb/mnist
ImageSet read_idx(const std::string& images_path, const std::string& labels_path = "",
                  std::vector<std::string> class_names = {}, Index first = all_samples);

}  // namespace reverie::inline REVERIE_PRECISION
