#include "data/streamed_image_set.h"

#include <algorithm>
#include <numeric>

namespace reverie::inline REVERIE_PRECISION {

StreamedImageSet::StreamedImageSet(const std::string& path, Index memory)
    : file_(Hdf5File::open(path)), facts_(ImageSet::load_without_pixels(file_)), memory_(memory) {
  name = facts_.name;
  labels = std::move(facts_.labels);
  class_names = std::move(facts_.class_names);
  captions = std::move(facts_.captions);
  constexpr Index enough = 256 * 1024;  // reading smaller blocks costs more than decompressing them
  const Index chunk = std::min(file_.chunk_rows("images"), size()), chunk_bytes = chunk * image_bytes();
  if (chunk_bytes > memory_ / 2) {
    throw UsageError(path, ": `images` is stored in chunks of ", chunk, " images, ", chunk_bytes,
                     " bytes, and two must fit the memory for images, ", memory_,
                     " bytes; a larger data.memory_mb helps, or writing the file in smaller chunks");
  }
  block_images_ = chunk * std::max<Index>(1, std::min(enough, memory_ / 16) / chunk_bytes);
}

// The block, read from the file if it isn't held; blocks that were not used for longest make room for it.
const StreamedImageSet::Block& StreamedImageSet::block(Index number) const {
  const Index first = number * block_images_, last = std::min(first + block_images_, size());
  const auto found = blocks_.find(number);
  if (found != blocks_.end()) {
    found->second.last_use = uses_++;
    return found->second;
  }
  const Index bytes = (last - first) * image_bytes();
  while (held_ + bytes > memory_) {
    const auto oldest = std::min_element(blocks_.begin(), blocks_.end(), [](const auto& a, const auto& b) {
      return a.second.last_use < b.second.last_use;
    });
    held_ -= std::ssize(oldest->second.pixels);
    blocks_.erase(oldest);
  }
  Block read{file_.read_uint8("images", first, last), uses_++};
  ++blocks_read_;
  held_ += bytes;
  return blocks_.emplace(number, std::move(read)).first->second;
}

Tensor StreamedImageSet::batch(std::span<const Index> indices) const {
  const std::lock_guard lock(mutex_);
  Tensor out = Tensor::uninitialized({std::ssize(indices), facts_.height, facts_.width, facts_.channels});
  std::vector<Index> by_block(indices.size());  // positions in the batch, block by block
  std::iota(by_block.begin(), by_block.end(), Index{0});
  std::stable_sort(by_block.begin(), by_block.end(),
                   [&](Index a, Index b) { return indices[a] / block_images_ < indices[b] / block_images_; });
  for (const Index position : by_block) {
    const Index number = indices[position] / block_images_, row = indices[position] % block_images_;
    const std::uint8_t* image = block(number).pixels.data() + row * image_bytes();
    std::transform(image, image + image_bytes(), out.data() + position * image_bytes(), to_real);
  }
  return out;
}

std::vector<Index> StreamedImageSet::epoch_order(const RandomKey& key) const {
  const Index block_bytes = block_images_ * image_bytes(), window = std::max<Index>(1, memory_ / 2 / block_bytes);
  const std::vector<Index> blocks = permutation(key, block_count());
  std::vector<Index> order;
  order.reserve(size());
  for (Index first = 0; first < block_count(); first += window) {
    std::vector<Index> images;
    for (Index b = first; b < std::min(first + window, block_count()); ++b) {
      const Index begin = blocks[b] * block_images_, end = std::min(begin + block_images_, size());
      for (Index i = begin; i < end; ++i) images.push_back(i);
    }
    for (const Index i : permutation(key.with_sample(1 + first / window), std::ssize(images)))
      order.push_back(images[i]);
  }
  return order;
}

}  // namespace reverie::inline REVERIE_PRECISION
