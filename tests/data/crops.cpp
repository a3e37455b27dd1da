#include "data/crops.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/helpers.h"

using namespace reverie;

namespace {

using Names = std::vector<std::string>;

// Two pictures of 20 x 30 pixels, whose pixel (x, y) is 8 y + x, and their lists.
struct Slides {
  Slides() {
    for (const char* name : {"pictures", "lists"}) std::filesystem::create_directory(folder / name);
    Picture picture(20, 30, 1);
    for (Index y = 0; y < 20; ++y)
      for (Index x = 0; x < 30; ++x) *picture.at(y, x) = static_cast<std::uint8_t>(8 * y + x);
    for (const char* name : {"a", "b"}) write_png(folder / concat("pictures/", name, ".png"), picture);
  }
  void list(const std::string& name, const std::string& text) const { write_text(folder / ("lists/" + name), text); }
  GroupedImages read(CropOptions options) {
    notes.clear();
    options.note = [&](const std::string& text) { notes += text; };
    return read_crops(folder / "pictures", folder / "lists", options);
  }
  std::string error(const std::string& text, const CropOptions& options = {.crop = 4}) {
    list("a.txt", text);
    return error_of([&] { read(options); });
  }
  TemporaryFolder folder;
  std::string notes;
};

}  // namespace

TEST_CASE("crops around points: squares, classes, groups, and what is left out") {
  Slides slides;
  slides.list("a.txt", "10 8 1\n2 2 0\n1 8 1\n10 8 1\n29 19 0\n28 18 0\n");
  slides.list("b.csv", "x,y,type\n15,10,0\n15,11,2\n");
  slides.list("c.txt", "1 1 1\n");
  const GroupedImages crops = slides.read({.crop = 4, .only = {"1", "0"}});
  CHECK(crops.set.sample_shape() == Shape{4, 4, 1});
  CHECK(crops.set.class_names == Names{"1", "0"});
  CHECK(crops.set.labels == std::vector<Index>{0, 1, 1, 1});
  CHECK(crops.groups == std::vector<Index>{0, 0, 0, 1});
  CHECK(crops.set.images[0] == 8 * 6 + 8);    // from two pixels before the point ...
  CHECK(crops.set.images[15] == 8 * 9 + 11);  // ... to one behind it
  CHECK(crops.set.images[2 * 16] == 8 * 16 + 26);
  for (const char* part :
       {"left out: ", "1 listed twice (first: ", "a.txt: line 4)", "2 over the edge (first: ", "a.txt: line 3)",
        "1 of other classes (first: ", "b.csv: line 3)", "1 lists of labels without a picture (first: "})
    CHECK_MESSAGE(contains(slides.notes, part), slides.notes);
  std::filesystem::remove(slides.folder / "lists/b.csv");
  slides.read({.crop = 4});
  CHECK(contains(slides.notes, "1 pictures without a list of labels (first: b.png)"));
  slides.list("b.txt", "");
  slides.read({.crop = 4});
  CHECK(contains(slides.notes, "1 pictures with an empty list (first: b.png)"));
}

TEST_CASE("crops around boxes: the longer side, or a fixed one; resampled") {
  Slides slides;
  slides.list("a.tsv", "4\t4\t12\t8\tround\n");
  slides.list("b.tsv", "4\t4\t12\t8\tflat\n");
  const ImageSet set = slides.read({.size = 4}).set;
  CHECK(set.class_names == Names{"flat", "round"});
  CHECK(set.labels == std::vector<Index>{1, 0});
  CHECK(set.images[0] == std::lround((8 * 2.5 + 4.5)));  // the square from (4, 2); 2 x 2 pixels become one
  CHECK(slides.read({.crop = 2}).set.images[0] == 8 * 5 + 7);
  CHECK(contains(error_of([&] { slides.read({}); }), "boxes differ in size"));
}

TEST_CASE("crops: names of classes, standardised crops") {
  Slides slides;
  slides.list("a.txt", "10 8 1\n12 8 sickle\n14 8 0\n");
  const ImageSet set = slides.read({.crop = 8, .class_names = {"normal", "sickle"}, .standardise = true}).set;
  CHECK(set.labels == std::vector<Index>{1, 1, 0});
  for (Index image = 0; image < 3; ++image) {
    double sum = 0, squares = 0;
    for (Index i = 0; i < 64; ++i) {
      const double value = set.images[64 * image + i];
      sum += value / 64;
      squares += value * value / 64;
    }
    CHECK(sum == doctest::Approx(127.5).epsilon(0.01));
    CHECK(std::sqrt(squares - sum * sum) == doctest::Approx(42.5).epsilon(0.01));
  }
  CHECK(contains(slides.error("10 8 2", {.crop = 4, .class_names = {"normal", "sickle"}}),
                 "a.txt: line 1: the label 2 is neither the name of a class nor a number from 0 to 1"));
  CHECK_THROWS_AS(slides.read({.crop = 4, .class_names = {"a"}, .only = {"b"}}), UsageError);
}

TEST_CASE("crops: bad lists are errors that name the line; nothing left is an error") {
  Slides slides;
  for (const char* line : {"1 2", "1 2 3 4", "x y 1", "1 nan 0", "1 1e999 0", "1 2 3 4 5 6", "10"})
    CHECK_MESSAGE(contains(slides.error(concat("10 8 0\n", line)), "a.txt: line 2 is neither `x y label` nor"), line);
  CHECK(contains(slides.error("5 5 2 9 0"), "line 1 is a box without extent"));
  CHECK(contains(slides.error("5 5 1", {}), "is a point; a size of crops is required"));
  CHECK(contains(slides.error("1 1 0"), "gives no crops; left out: 1 over the edge"));
  slides.list("a.csv", "10,8,0");
  CHECK(contains(slides.error("10 8 0"), "for the same picture"));
  CHECK(contains(error_of([&] { read_crops(slides.folder / "pictures", slides.folder / "none", {.crop = 4}); }),
                 "none: no such folder"));
  std::filesystem::remove(slides.folder / "lists/a.csv");
  write_text(slides.folder / "pictures/a.png", "text");
  CHECK(contains(slides.error("10 8 0"), "a.png: is damaged or neither PNG nor JPEG"));
}
