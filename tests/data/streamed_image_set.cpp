// Image sets that stay in their file: the same images as in memory, in a bounded memory, in a reproducible order.
#include "data/streamed_image_set.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "data/fingerprint.h"
#include "data/loader.h"
#include "data/subset.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

// Images of 16x16x3 noise; the first two pixels of image i say i.
ImageSet numbered(Index count) {
  ImageSet set;
  set.count = count;
  set.height = set.width = 16;
  set.channels = 3;
  set.class_names = {"even", "odd"};
  for (Index i = 0; i < count; ++i) {
    set.labels.push_back(i % 2);
    set.captions.push_back(concat("number ", i % 7));
    const RandomKey key = RandomKey{.seed = 4, .stream = Stream::probe}.with_sample(i);
    set.images.push_back(static_cast<std::uint8_t>(i / 256));
    set.images.push_back(static_cast<std::uint8_t>(i % 256));
    for (Index pixel = 2; pixel < 16 * 16 * 3; ++pixel)
      set.images.push_back(static_cast<std::uint8_t>(uniform_index(key, 256, pixel)));
  }
  return set;
}

constexpr Index total = 14'000;

// A set of 10.8 MB, and its file.
struct Stored {
  TemporaryFolder folder;
  ImageSet set = numbered(total);
  std::string path = folder / "set.h5";
  Index bytes = std::ssize(set.images);
  Stored() { set.save(path); }
};

const Stored& stored() {
  static const Stored stored;
  return stored;
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::equal(a.values().begin(), a.values().end(), b.values().begin());
}

constexpr Index block = 256 * 1024;  // of the file

}  // namespace

TEST_CASE("a streamed set has the images, labels, captions and fingerprint of the set in memory") {
  const StreamedImageSet streamed(stored().path, 4 * block);
  const ImageSet& set = stored().set;
  CHECK(streamed.size() == total);
  CHECK(streamed.sample_shape() == set.sample_shape());
  CHECK(streamed.labels == set.labels);
  CHECK(streamed.class_names == set.class_names);
  CHECK(streamed.captions == set.captions);
  const std::vector<Index> some = {total - 1, 0, 3000, 0, 17};
  CHECK(equal(streamed.batch(some), set.batch(some)));
  CHECK(fingerprint(streamed) == fingerprint(set));
  const Subset part(streamed, 100), same(set, 100);
  CHECK(equal(samples_of(part), samples_of(same)));
}

TEST_CASE("the pixels in memory are bounded, whichever images are taken; down to a twentieth of the set") {
  for (const Index memory : {stored().bytes / 8, stored().bytes / 20}) {
    const StreamedImageSet streamed(stored().path, memory);
    Index most = 0;
    for (Index step = 0; step < 10; ++step) {
      std::vector<Index> random = permutation({.seed = 9, .step = static_cast<std::uint64_t>(step)}, total);
      random.resize(30);
      streamed.batch(random);
      most = std::max(most, streamed.bytes_held());
      const Loader loader(streamed, 128, 5);
      loader.batch(step);
      most = std::max(most, streamed.bytes_held());
    }
    samples_of(Subset(streamed, 400));
    CHECK(std::max(most, streamed.bytes_held()) <= memory);
    CHECK(most > memory / 3);
  }
}

TEST_CASE("an epoch in order reads each block about once, and deals every image once") {
  const StreamedImageSet streamed(stored().path, 6 * block);
  const Loader loader(streamed, 50, 3);
  std::vector<Index> dealt;
  for (Index step = 0; step < total / 50; ++step) {
    const auto batch = loader.batch(step);
    dealt.insert(dealt.end(), batch.indices.begin(), batch.indices.end());
    CHECK(equal(batch.x0, stored().set.batch(batch.indices)));
    for (std::size_t i = 0; i < batch.indices.size(); ++i) CHECK(batch.labels[i] == batch.indices[i] % 2);
  }
  const Index blocks = (total + streamed.block_images() - 1) / streamed.block_images();
  CHECK(blocks >= 40);
  CHECK(streamed.blocks_read() == blocks);
  std::sort(dealt.begin(), dealt.end());
  for (Index i = 0; i < total; ++i) CHECK(dealt[i] == i);
}

TEST_CASE("images are shuffled among the blocks of a window, which lie all over the file, differently in each epoch") {
  const StreamedImageSet streamed(stored().path, 8 * block);  // windows of 4 blocks
  const RandomKey key{.seed = 1, .stream = Stream::data_order};
  const std::vector<Index> order = streamed.epoch_order(key);
  CHECK(order == streamed.epoch_order(key));
  CHECK(order != streamed.epoch_order(key.with_step(1)));
  std::set<Index> blocks;
  for (Index i = 0; i < 64; ++i) blocks.insert(order[i] / streamed.block_images());
  CHECK(blocks.size() == 4);
  CHECK(*blocks.rbegin() - *blocks.begin() > 4);
  double sum = 0;  // of the first half: near the middle of the file if it is shuffled
  for (Index i = 0; i < total / 2; ++i) sum += static_cast<double>(order[i]);
  CHECK(sum / (total / 2) > total / 3);
  CHECK(sum / (total / 2) < 2 * total / 3);
}

TEST_CASE("a batch is a function of the seed and the step alone, whatever was read before") {
  const StreamedImageSet first(stored().path, 3 * block), second(stored().path, 3 * block);
  const Loader a(first, 64, 8), b(second, 64, 8);
  for (Index step = 0; step < 100; ++step) a.batch(step);
  const auto late = a.batch(100), resumed = b.batch(100);
  CHECK(late.indices == resumed.indices);
  CHECK(equal(late.x0, resumed.x0));
}

TEST_CASE("images that all fit the memory are shuffled as a whole: one window") {
  const StreamedImageSet streamed(stored().path, 4 * stored().bytes);
  const std::vector<Index> order = streamed.epoch_order({.seed = 1});
  std::set<Index> blocks;
  for (Index i = 0; i < 1000; ++i) blocks.insert(order[i] / streamed.block_images());
  CHECK(static_cast<Index>(blocks.size()) == (total + streamed.block_images() - 1) / streamed.block_images());
}

TEST_CASE("open_dataset streams what has more pixels than the memory, and loads the rest") {
  const auto is_streamed = [](const Dataset& set) { return dynamic_cast<const StreamedImageSet*>(&set) != nullptr; };
  CHECK(is_streamed(*open_dataset(stored().path, 0, stored().bytes - 1)));
  CHECK(!is_streamed(*open_dataset(stored().path, 0, stored().bytes)));
  CHECK(!is_streamed(*open_dataset(stored().path, 0)));
  CHECK(!is_streamed(*open_dataset("toy:two_moons", 0, 1)));
}

TEST_CASE("what can't be streamed is refused: chunks larger than half the memory, other files, damaged blocks") {
  const std::string& path = stored().path;
  const std::string error = error_of([&] { StreamedImageSet(path, block); });
  CHECK(contains(error, path + ": `images` is stored in chunks of "));
  CHECK(contains(error, "data.memory_mb"));
  const TemporaryFolder folder;
  CHECK(contains(error_of([&] { StreamedImageSet(folder / "none.h5", 1000); }), "none.h5"));
  write_text(folder / "text.h5", "no set");
  CHECK(contains(error_of([&] { StreamedImageSet(folder / "text.h5", 1000); }), "text.h5"));
  std::string bytes = read_text(path);
  for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 40'000; ++i) bytes[i] = '\0';
  write_text(folder / "damaged.h5", bytes);
  const auto read_all = [&] {
    const StreamedImageSet set(folder / "damaged.h5", 4 * block);
    for (Index i = 0; i < set.size(); i += 300) set.batch(std::vector<Index>{i});
  };
  CHECK(contains(error_of(read_all), "damaged.h5: `images` can't be read"));
}
