#include "data/image_folder.h"

#include <doctest/doctest.h>

#include "tests/helpers.h"

using namespace reverie;

namespace {

using Names = std::vector<std::string>;

// A folder of pictures of one grey level each.
class Pictures : public TemporaryFolder {
 public:
  explicit Pictures(const std::vector<std::pair<std::string, int>>& files) {
    for (const auto& [name, grey] : files) add(name, Picture(2, 3, 1, static_cast<std::uint8_t>(grey)));
  }
  void add(const std::string& name, const Picture& picture) {
    std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
    write_png(*this / name, picture);
  }
  GroupedImages read(ImageFolderOptions options = {}) {
    notes.clear();
    options.note = [&](const std::string& text) { notes += text + "\n"; };
    return read_image_folder(path(), options);
  }
  std::string error(const ImageFolderOptions& options = {}) {
    return error_of([&] { read(options); });
  }
  std::string notes;
};

// The first pixel of each image.
std::vector<int> first_pixels(const ImageSet& set) {
  std::vector<int> values;
  for (Index i = 0; i < set.count; ++i) values.push_back(set.images[i * set.sample_shape().size()]);
  return values;
}

}  // namespace

TEST_CASE("a folder of pictures is read in order; subfolders are classes") {
  Pictures folder({{"dog/b.png", 20}, {"dog/a.PNG", 10}, {"cat/z.png", 30}});
  std::filesystem::create_directory(folder / "empty");
  write_text(folder / "dog/notes.txt", "not a picture");
  const ImageSet set = folder.read().set;
  CHECK(set.class_names == Names{"cat", "dog"});
  CHECK(set.labels == std::vector<Index>{0, 1, 1});
  CHECK(set.sample_shape() == Shape{2, 3, 1});
  CHECK(first_pixels(set) == std::vector{30, 10, 20});
  CHECK(folder.notes ==
        "left out: 1 folders without pictures (first: empty), 1 neither PNG nor JPEG (first: dog/notes.txt)\n");
  CHECK(folder.read({.height = 2, .width = 2, .channels = 3}).set.sample_shape() == Shape{2, 2, 3});

  folder.add("dog/c.png", Picture(4, 3, 3, 40));
  CHECK(contains(folder.error(), folder / "dog/c.png: is 3 x 4 pixels, cat/z.png is 3 x 2"));
  CHECK(folder.read({.height = 2, .width = 2}).set.channels == 3);  // one of them is in colour
  folder.add("top.png", Picture(2, 3, 1));
  CHECK(contains(folder.error(), "class is unclear (first: top.png)"));
  CHECK(contains(error_of([&] { read_image_folder(folder / "empty"); }), "has no PNG or JPEG files"));
  CHECK(contains(error_of([&] { read_image_folder(folder / "none"); }), "no such folder"));
  CHECK(contains(error_of([&] { read_image_folder(folder / "top.png"); }), "is not a folder"));
  CHECK_THROWS_AS(folder.read({.height = 2}), UsageError);
  CHECK_THROWS_AS(folder.read({.channels = 2}), UsageError);
}

TEST_CASE("folders inside folders are read if that is chosen; a link back is no endless folder") {
  Pictures folder({{"a/x.png", 1}, {"a/deep/y.png", 2}, {"a/deep/deeper/z.png", 3}, {"b/w.png", 4}});
  std::filesystem::create_directory_symlink("..", folder / "a/deep/back");
  CHECK(first_pixels(folder.read().set) == std::vector{1, 4});
  CHECK(folder.notes == "left out: 1 folders inside folders (first: a/deep)\n");
  const ImageSet set = folder.read({.recursive = true}).set;
  CHECK(first_pixels(set) == std::vector{3, 2, 1, 4});
  CHECK(set.class_names == Names{"a", "b"});
  CHECK(folder.notes == "left out: 1 links to folders that are read already (first: a/deep/back)\n");
  folder.add("top.png", Picture(2, 3, 1, 5));
  const ImageSet without_classes = folder.read({.recursive = true, .folders_are_classes = false}).set;
  CHECK(first_pixels(without_classes) == std::vector{3, 2, 1, 4, 5});
  CHECK(without_classes.labels.empty());
}

TEST_CASE("classes and groups by patterns of names") {
  Pictures folder({{"p1/10_a.png", 1}, {"p1/9_b.png", 2}, {"p2/9_c.png", 3}, {"p2/other.png", 4}});
  const GroupedImages images = folder.read({.class_pattern = "^([0-9]+)_", .group_pattern = "(p[0-9])/"});
  CHECK(images.set.class_names == Names{"9", "10"});
  CHECK(images.set.labels == std::vector<Index>{1, 0, 0});
  CHECK(images.groups == std::vector<Index>{0, 0, 1});
  CHECK(folder.notes == "left out: 1 whose name doesn't fit the class pattern (first: p2/other.png)\n");
  CHECK(folder.read({.group_pattern = "([a-z]+)[0-9]?/"}).groups == std::vector<Index>{0, 0, 0, 0});
  CHECK(contains(folder.error({.group_pattern = "([0-9])_"}), "other.png: doesn't fit the group pattern \"([0-9])_\""));
  CHECK(contains(folder.error({.class_pattern = "^(x)"}), "left out: 4 whose name doesn't fit the class pattern"));
  for (const char* wrong : {"(", "[a-", "abc", "*"}) {
    CHECK_THROWS_AS(folder.read({.class_pattern = wrong}), UsageError);
    CHECK_THROWS_AS(folder.read({.group_pattern = wrong}), UsageError);
  }
}

TEST_CASE("captions come from a table with a line for each picture") {
  Pictures folder({{"x/a.png", 1}, {"x/b.png", 2}});
  const TemporaryFolder texts;
  const auto read = [&](const std::string& text, const char* name = "captions.csv") {
    write_text(texts / name, text);
    return folder.read({.folders_are_classes = false, .captions = texts / name}).set.captions;
  };
  CHECK(read("file,caption\n./x/b.png,two\nx/a.png,\"one, flat style\"\n") == Names{"one, flat style", "two"});
  CHECK(read("x/b.png\ttwo\nx/a.png\tone, flat style\nx/c.png\tthree\n", "c.tsv") == Names{"one, flat style", "two"});
  CHECK(folder.notes == "left out: 1 captions without a picture (first: x/c.png)\n");
  const auto error = [&](const std::string& text) { return error_of([&] { read(text); }); };
  CHECK(contains(error("x/a.png,one\n"), "captions.csv: has no caption of x/b.png; each picture needs one"));
  CHECK(contains(error("x/a.png,one, flat\n"), "line 1 has 3 fields, expects file,caption"));
  CHECK(contains(error("x/a.png,one\nx/a.png,two\n"), "line 2 is the second caption of x/a.png"));
  CHECK(contains(error(""), "has no caption of x/a.png"));
  CHECK_THROWS_AS(read("", "captions.txt"), UsageError);
}
