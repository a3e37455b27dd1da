#include "data/image_set.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "data/point_set.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

ImageSet small_set() {
  ImageSet set;
  set.count = 3;
  set.height = 2;
  set.width = 4;
  set.channels = 1;
  for (int i = 0; i < 24; ++i) set.images.push_back(10 * i);
  set.labels = {1, 0, 1};
  set.class_names = {"no", "yes"};
  set.captions = {"first", "zweites ä", ""};
  set.masks.assign(24, 1);
  set.name = "small";
  set.source = "a test";
  set.licence = "none";
  return set;
}

}  // namespace

TEST_CASE("pixels: 0 and 255 are -1 and 1, and to_pixel inverts to_real") {
  CHECK(to_real(0) == -1);
  CHECK(to_real(255) == 1);
  for (int pixel = 0; pixel < 256; ++pixel) {
    const std::uint8_t byte = pixel;
    CHECK(to_pixel(to_real(byte)) == byte);
    CHECK(to_pixel(to_real(byte) - real(0.0039)) == byte);  // less than half a step of 1/127.5 = 0.00784 away
    CHECK(to_pixel(to_real(byte) + real(0.0039)) == byte);
  }
  CHECK(to_pixel(-3) == 0);
  CHECK(to_pixel(1e9f) == 255);
  CHECK(to_pixel(std::numeric_limits<real>::quiet_NaN()) == 0);
}

TEST_CASE("an image set is saved and loaded with all its parts") {
  const TemporaryFolder folder;
  const std::string path = folder / "small.h5";
  const ImageSet set = small_set();
  set.save(path);
  const ImageSet back = ImageSet::load(path);
  CHECK(back.images == set.images);
  CHECK(back.labels == set.labels);
  CHECK(back.class_names == set.class_names);
  CHECK(back.captions == set.captions);
  CHECK(back.masks == set.masks);
  CHECK(back.name == "small");
  CHECK(back.source == "a test");
  CHECK(back.licence == "none");
  CHECK(back.sample_shape() == Shape{2, 4, 1});
  CHECK(Hdf5File::open(path).shape("images") == Shape{3, 2, 4, 1});

  const ImageSet two = ImageSet::load(path, 2);
  CHECK(two.size() == 2);
  CHECK(two.images == std::vector<std::uint8_t>(set.images.begin(), set.images.begin() + 16));
  CHECK(two.labels == std::vector<Index>{1, 0});
  CHECK(two.captions.size() == 2);

  const auto dataset = load_dataset(path);
  const std::vector<Index> indices{2, 0};
  const Tensor batch = dataset->batch(indices);
  CHECK(batch.shape() == Shape{2, 2, 4, 1});
  CHECK(batch[0] == to_real(160));
  CHECK(batch[15] == to_real(70));
  CHECK(ImageSet::from(batch).images[15] == 70);
}

TEST_CASE("an image set with parts that do not fit is neither saved nor loaded") {
  const TemporaryFolder folder;
  const std::string path = folder / "bad.h5";
  const auto refused = [&](auto change, const std::string& what) {
    ImageSet set = small_set();
    change(set);
    const std::string error = error_of([&] { set.save(path); });
    CHECK_MESSAGE(contains(error, path), error);
    CHECK_MESSAGE(contains(error, what), error);
    CHECK(folder.files() == 0);
  };
  refused([](ImageSet& set) { set.labels.pop_back(); }, "has 2 labels for 3 samples");
  refused([](ImageSet& set) { set.labels[1] = 2; }, "sample 1 has label 2, but there are 2 classes");
  refused([](ImageSet& set) { set.labels[1] = -1; }, "sample 1 has label -1");
  refused([](ImageSet& set) { set.labels.clear(); }, "2 class names, but no labels");
  refused([](ImageSet& set) { set.captions.pop_back(); }, "has 2 captions for 3 images");
  refused([](ImageSet& set) { set.masks.pop_back(); }, "masks of 23 pixels");
  refused([](ImageSet& set) { set.images.pop_back(); }, "has 23 pixels");
  refused([](ImageSet& set) { set.count = 0; }, "has no images");

  const auto not_loaded = [&](auto write, const std::string& what) {
    {
      Hdf5File file = Hdf5File::create(path);
      write(file);
      file.close();
    }
    const std::string error = error_of([&] { load_dataset(path); });
    CHECK_MESSAGE(contains(error, path), error);
    CHECK_MESSAGE(contains(error, what), error);
  };
  const std::vector<std::uint8_t> pixels(24);
  not_loaded(
      [&](Hdf5File& f) {
        f.write_uint8("images", {3, 2, 4}, pixels);
      },
      "`images` has shape [3,2,4], expected [N,H,W,C]");
  not_loaded([&](Hdf5File& f) { f.write_tensor("images", Tensor::zeros({1, 2, 2, 1})); }, "expected uint8");
  not_loaded([&](Hdf5File& f) { f.write_uint8("images", {0, 2, 2, 1}, {}); }, "has no images");
  not_loaded([&](Hdf5File& f) { f.write_tensor("weights/a", Tensor::zeros({2})); }, "is neither an image set");
  not_loaded(
      [&](Hdf5File& f) {
        f.write_tensor("points", Tensor::zeros({2, 3}));
      },
      "`points` has shape [2,3], expected [N,2]");
  not_loaded([&](Hdf5File& f) { f.write_tensor("points", Tensor::full({2, 2}, NAN)); }, "point 0 is not finite");
  not_loaded(
      [&](Hdf5File& f) {
        f.write_uint8("images", {3, 2, 4, 1}, pixels);
        f.write_uint8("masks", {3, 4, 2}, pixels);
      },
      "`masks` has shape [3,4,2], expected [3,2,4]");
  not_loaded(
      [&](Hdf5File& f) {
        f.write_uint8("images", {3, 2, 4, 1}, pixels);
        f.write_doubles("labels", {3}, {0, 1, 2});
      },
      "`labels` is float64, expected integers");
}

TEST_CASE("without class names, the names are the class numbers") {
  const TemporaryFolder folder;
  Hdf5File file = Hdf5File::create(folder / "a.h5");
  file.write_uint8("images", {2, 1, 1, 1}, {1, 2});
  file.write_int64("labels", {2}, {2, 0});
  file.close();
  CHECK(load_dataset(folder / "a.h5")->class_names == std::vector<std::string>{"0", "1", "2"});
}

TEST_CASE("the digits in the repository: 10,000 and 2,000 of MNIST") {
  const char* root = std::getenv("REVERIE_SOURCE_ROOT");
  const std::string sets = std::string(root ? root : ".") + "/data/sets/";
  const auto train = load_dataset(sets + "digits-train.h5"), test = load_dataset(sets + "digits-test.h5");
  CHECK(train->size() == 10'000);
  CHECK(test->size() == 2'000);
  CHECK(train->sample_shape() == Shape{28, 28, 1});
  CHECK(train->class_names.size() == 10);
  // MNIST's training labels begin 5 0 4 1 9 2 1 3 1 4, its test labels 7 2 1 0 4 1 4 9 5 9.
  const std::vector<Index> first_train{5, 0, 4, 1, 9, 2, 1, 3, 1, 4}, first_test{7, 2, 1, 0, 4, 1, 4, 9, 5, 9};
  CHECK(std::equal(first_train.begin(), first_train.end(), train->labels.begin()));
  CHECK(std::equal(first_test.begin(), first_test.end(), test->labels.begin()));
  CHECK(train->licence == "CC BY-SA 3.0");
}
