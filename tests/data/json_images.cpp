#include "data/json_images.h"

#include <doctest/doctest.h>

#include "tests/helpers.h"

using namespace reverie;

TEST_CASE("JSON: a file for each class, in the order of their numbers; empty images are left out, and told") {
  const TemporaryFolder folder;
  write_text(folder / "10.json", R"({"data": [[1, 2], [255, 0]]})");
  write_text(folder / "9.json", R"({"about": {"data": [1.5, "x"]}, "data": [[], [3, 4], []], "more": null})");
  write_text(folder / "README", "x");
  std::string notes;
  const auto note = [&](const std::string& text) { notes = text; };
  const ImageSet set = read_json_images(folder.path(), 1, 2, {}, note);
  CHECK(set.class_names == std::vector<std::string>{"9", "10"});
  CHECK(set.labels == std::vector<Index>{0, 1, 1});
  CHECK(set.images == std::vector<std::uint8_t>{3, 4, 1, 2, 255, 0});
  CHECK(notes ==
        "left out: 2 images without pixels (first: 9.json: image 0), 1 other files and folders (first: README)");
  CHECK(read_json_images(folder.path(), 2, 1, {"shirt", "bag"}, note).class_names[1] == "bag");
  CHECK_THROWS_AS(read_json_images(folder.path(), 2, 1, {"shirt"}, note), UsageError);
}

TEST_CASE("JSON: other contents are errors that name the file and the image") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.json";
  const auto error = [&](const std::string& text) {
    write_text(path, text);
    return error_of([&] { read_json_images(folder.path(), 1, 2, {}, [](const std::string&) {}); });
  };
  CHECK(contains(error(R"({"data": [[1, 2], [1]]})"), path + ": image 1 has 1 pixels, expected 2"));
  CHECK(contains(error(R"({"data": [[1, 2, 3]]})"), "image 0 has more than 2 pixels"));
  for (const char* pixel : {"256", "-1", "1.5", "\"1\"", "null", "true", "[1]", "{}", "1e400"})
    CHECK_MESSAGE(contains(error(concat(R"({"data": [[0, )", pixel, "]]}")), "a.json: "), pixel);
  CHECK(contains(error(R"({"data": [1, 2]})"), "image 0 holds 1; expects lists of whole numbers"));
  CHECK(contains(error(R"({"data": 7})"), "holds 7"));
  CHECK(contains(error(R"({"data": [[1, 2]], "data": [[1, 2]]})"), "has two lists `data`"));
  CHECK(contains(error(R"({"x": [[1, 2]]})"), "has no list `data`"));
  CHECK(contains(error("[[1, 2]]"), "is a list"));
  CHECK(contains(error("7"), "has no list `data`"));
  CHECK(contains(error(R"({"data": []})"), "has no images"));
  CHECK(contains(error(R"({"data": [[1, 2], [)"), "is damaged or not JSON"));
  CHECK(contains(error(""), "is damaged or not JSON"));
  CHECK(contains(error(R"({"x": )" + std::string(1'000'000, '[')), "nested more than 64 deep"));
  CHECK(contains(error_of([&] { read_json_images(path, 1, 2, {}, nullptr); }), "is not a folder"));
  std::filesystem::remove(path);
  CHECK(contains(error_of([&] { read_json_images(folder.path(), 1, 2, {}, nullptr); }), "has no JSON files"));
}
