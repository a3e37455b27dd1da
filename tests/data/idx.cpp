#include "data/idx.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include "tests/helpers.h"

using namespace reverie;
using namespace std::string_literals;

namespace {

const std::string two_images = "\0\0\x08\x03\0\0\0\2\0\0\0\2\0\0\0\3"s + "abcdefghijkl";
const std::string two_labels = "\0\0\x08\x01\0\0\0\2\x04\0"s;

void write_gzip(const std::string& path, const std::string& text) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), text.size());
  gzclose(file);
}

}  // namespace

TEST_CASE("IDX: images and labels, plain and gzipped") {
  const TemporaryFolder folder;
  write_text(folder / "images", two_images);
  write_text(folder / "labels", two_labels);
  write_gzip(folder / "images.gz", two_images);
  write_gzip(folder / "labels.gz", two_labels);
  for (const char* ending : {"", ".gz"}) {
    const ImageSet set = read_idx(folder / ("images"s + ending), folder / ("labels"s + ending));
    CHECK(set.count == 2);
    CHECK(set.sample_shape() == Shape{2, 3, 1});
    CHECK(std::string(set.images.begin(), set.images.end()) == "abcdefghijkl");
    CHECK(set.labels == std::vector<Index>{4, 0});
    CHECK(set.class_names == std::vector<std::string>{"0", "1", "2", "3", "4"});
  }
  const ImageSet one = read_idx(folder / "images", folder / "labels", {"a", "b", "c", "d", "e", "f"}, 1);
  CHECK(one.count == 1);
  CHECK(one.labels == std::vector<Index>{4});
  CHECK(one.class_names.size() == 6);
  CHECK(read_idx(folder / "images").labels.empty());
}

TEST_CASE("IDX: files that are missing, of another kind, truncated, too long or don't match") {
  const TemporaryFolder folder;
  const std::string images = folder / "images", labels = folder / "labels";
  write_text(images, two_images);
  const auto refused = [&](const std::string& content, const std::string& what) {
    write_text(images, content);
    const std::string error = error_of([&] { read_idx(images); });
    CHECK_MESSAGE(contains(error, images), error);
    CHECK_MESSAGE(contains(error, what), error);
  };
  CHECK(contains(error_of([&] { read_idx(folder / "none"); }), "No such file or directory"));
  CHECK(error_of([&] { read_idx(folder.path()); }) != "");
  refused("", "is not an IDX file of images");
  refused("PNG or so", "is not an IDX file of images");
  refused(two_labels, "does not begin with 00 00 08 03");
  refused(two_images.substr(0, 10), "is truncated: it ends within the header");
  refused(two_images.substr(0, 20), "is truncated: [2,2,3] takes 12 bytes, there are 4");
  refused(two_images + "m", "more bytes than the 12");
  refused("\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"s, "the header announces");
  refused("\0\0\x08\x03\0\0\0\0\0\0\0\2\0\0\0\3"s, "has no images");
  write_gzip(folder / "whole.gz", two_images);
  const std::string gzipped = read_text(folder / "whole.gz");
  refused(gzipped.substr(0, gzipped.size() - 10), "truncated");
  std::string damaged = gzipped;
  damaged[gzipped.size() - 6] ^= 1;  // in the checksum
  refused(damaged, "is damaged");

  write_text(images, two_images);
  write_text(labels, "\0\0\x08\x01\0\0\0\3\1\2\3"s);
  CHECK(contains(error_of([&] { read_idx(images, labels); }), "has 3 labels"));
  write_text(labels, two_labels);
  CHECK(contains(error_of([&] { read_idx(images, labels, {"a", "b"}); }), "sample 0 has label 4"));
  CHECK_THROWS_AS(read_idx(images, "", {"a"}), UsageError);
}
