// Hidden folders (.ipynb_checkpoints) became classes, and files that were left out were not mentioned, so that a class
// vanished. Labels of shape [4,10] were flattened for 40 images, and a label of 2^63 - 1 overflowed.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <limits>

#include "data/image_folder.h"
#include "data/point_set.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

// The error of loading 40 images with other datasets beside them.
template <class Write>
std::string error_with(Write&& write) {
  const TemporaryFolder folder;
  Hdf5File file = Hdf5File::create(folder / "a.h5");
  file.write_uint8("images", {40, 1, 1, 1}, std::vector<std::uint8_t>(40, 7));
  write(file);
  file.close();
  return error_of([&] { load_dataset(folder / "a.h5"); });
}

std::string error_of_labels(const Shape& shape, Index value) {
  return error_with([&](Hdf5File& file) {
    std::vector<Index> labels(shape.size(), 0);
    if (!labels.empty()) labels.back() = value;
    file.write_int64("labels", shape, labels);
  });
}

}  // namespace

TEST_CASE("a folder: what is left out is told, with counts, reasons and the first name") {
  const TemporaryFolder folder;
  for (const char* name : {"cat", "dog", "dog/deep", ".ipynb_checkpoints", "txt only"})
    std::filesystem::create_directory(folder / name);
  for (const char* name : {"cat/a.png", "dog/b.png", "dog/deep/c.png", ".ipynb_checkpoints/a.png", "cat/.hidden.png"})
    write_png(folder / name, Picture(2, 2, 1, 5));
  for (const char* name : {"txt only/a.txt", "cat/notes.txt", "txt only/b.gif"}) write_text(folder / name, "x");
  std::filesystem::create_symlink("none.png", folder / "cat/link.png");
  std::filesystem::create_symlink("loop", folder / "loop");
  REQUIRE(mkfifo((folder / "cat/fifo.png").c_str(), 0600) == 0);
  std::vector<std::string> notes;
  ImageFolderOptions options;
  options.note = [&](const std::string& text) { notes.push_back(text); };
  const ImageSet set = read_image_folder(folder.path(), options).set;
  CHECK(set.class_names == std::vector<std::string>{"cat", "dog"});
  CHECK(set.count == 2);
  REQUIRE(notes.size() == 1);
  for (const char* part :
       {"left out: ", "1 folders inside folders (first: dog/deep)", "1 folders without pictures (first: txt only)",
        "2 hidden (first: ", "3 neither PNG nor JPEG (first: ", "2 links that lead nowhere (first: ",
        "1 pipes or devices (first: cat/fifo.png)"})
    CHECK_MESSAGE(contains(notes[0], part), notes[0]);
  CHECK(contains(error_of([&] { read_image_folder(folder / "txt only"); }),
                 "no PNG or JPEG files, and no folders with such files; "
                 "left out: 2 neither PNG nor JPEG (first: "));
}

TEST_CASE("labels and captions are lists with a value for each image") {
  CHECK(error_of_labels({40}, 1) == "nothing");
  CHECK(contains(error_of_labels({4, 10}, 1), "`labels` has shape [4,10], expected [40]"));
  CHECK(contains(error_of_labels({40, 1}, 1), "`labels` has shape [40,1], expected [40]"));
  CHECK(contains(error_of_labels({}, 1), "`labels` has shape [], expected [40]"));
  CHECK(contains(error_of_labels({0}, 1), "`labels` has shape [0], expected [40]"));
  CHECK(contains(error_of_labels({41}, 1), "`labels` has shape [41], expected [40]"));
  for (const Index value : {std::numeric_limits<Index>::max(), std::numeric_limits<Index>::min(), Index{-1}})
    CHECK(contains(error_of_labels({40}, value), concat("from ", std::min<Index>(value, 0), " to ")));
  CHECK(contains(error_with([](Hdf5File& file) { file.write_doubles("labels", {40}, std::vector<double>(40)); }),
                 "`labels` is float64, expected integers"));
  CHECK(contains(error_with([](Hdf5File& file) {
                   file.write_int64("labels", {40}, std::vector<Index>(40, 2));
                   file.write_attribute("labels", "class_names", std::vector<std::string>{"a", "b"});
                 }),
                 "sample 0 has label 2, but there are 2 classes"));
  CHECK(contains(error_with([](Hdf5File& file) { file.write_strings("captions", {"a"}); }),
                 "`captions` has shape [1], expected [40]"));
}

TEST_CASE("labels and captions are checked also when only the first images are loaded") {
  const TemporaryFolder folder;
  Hdf5File file = Hdf5File::create(folder / "a.h5");
  file.write_tensor("points", Tensor::zeros({5, 2}));
  file.write_int64("labels", {7}, std::vector<Index>(7));
  file.close();
  CHECK(contains(error_of([&] { PointSet::load(folder / "a.h5", 3); }), "`labels` has shape [7], expected [5]"));
}
