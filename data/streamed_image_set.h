#pragma once
#include <map>
#include <mutex>

#include "data/hdf5.h"
#include "data/image_set.h"

namespace reverie::inline REVERIE_PRECISION {

/// An image set that stays in its file, for sets larger than memory. The file is read in blocks of images: one or a few
/// of the chunks in which HDF5 stores them, which are compressed each for itself. The blocks that were used last are
/// kept, up to a number of bytes. (Labels and captions are in memory.)
class StreamedImageSet : public Dataset {
 public:
  /// `memory`: the bytes of pixels to keep, at least two blocks. Throws Error if the file is not an image set,
  /// UsageError if its chunks are larger than half the memory.
  StreamedImageSet(const std::string& path, Index memory);

  Index size() const override { return facts_.count; }
  Shape sample_shape() const override { return facts_.sample_shape(); }
  /// Reads each block that it needs once. May be called from several threads.
  Tensor batch(std::span<const Index> indices) const override;
  /// Shuffles the blocks; then the images of each window of blocks, as many as half the memory holds. Batches in this
  /// order read each block once in an epoch, and mix images from all over the file, but not as well as shuffling the
  /// whole set.
  std::vector<Index> epoch_order(const RandomKey& key) const override;

  Index bytes_held() const { return held_; }          ///< pixels in memory
  Index blocks_read() const { return blocks_read_; }  ///< from the file, so far
  Index block_images() const { return block_images_; }

 private:
  struct Block {
    std::vector<std::uint8_t> pixels;
    Index last_use;
  };
  Index image_bytes() const { return sample_shape().size(); }
  Index block_count() const { return (size() + block_images_ - 1) / block_images_; }
  const Block& block(Index number) const;

  Hdf5File file_;
  ImageSet facts_;  // without pixels
  Index memory_, block_images_;
  mutable std::mutex mutex_;  // the HDF5 library serves one thread at a time
  mutable std::map<Index, Block> blocks_;
  mutable Index held_ = 0, uses_ = 0, blocks_read_ = 0;
};

}  // namespace reverie::inline REVERIE_PRECISION
