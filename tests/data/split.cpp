#include "data/split.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/helpers.h"

using namespace reverie;

namespace {

// Images of one pixel, whose value is their number, with labels.
ImageSet numbered_images(const std::vector<Index>& labels, Index classes) {
  ImageSet set;
  set.count = std::ssize(labels);
  set.height = set.width = set.channels = 1;
  set.labels = labels;
  for (Index i = 0; i < classes; ++i) set.class_names.push_back(concat("class ", i));
  for (Index i = 0; i < set.count; ++i) {
    set.images.push_back(static_cast<std::uint8_t>(i));
    set.masks.push_back(static_cast<std::uint8_t>(255 - i));
    set.captions.push_back(concat("caption ", i % 5));
  }
  return set;
}

std::vector<Index> labels_in_turn(Index count, Index classes) {
  std::vector<Index> labels;
  for (Index i = 0; i < count; ++i) labels.push_back(i % classes);
  return labels;
}

}  // namespace

TEST_CASE("a split: each image is in one part, with its label, caption and mask; the seed decides") {
  const ImageSet set = numbered_images(labels_in_turn(100, 3), 3);
  const auto [train, held_out] = split_validation(set, {}, 0.1, 7);
  CHECK(held_out.count == 10);
  std::vector<std::uint8_t> all = train.images;
  all.insert(all.end(), held_out.images.begin(), held_out.images.end());
  std::sort(all.begin(), all.end());
  CHECK(all == set.images);
  for (const ImageSet* part : {&train, &held_out}) {
    part->validate("a part");
    CHECK(part->class_names == set.class_names);
    CHECK(std::is_sorted(part->images.begin(), part->images.end()));
    for (Index i = 0; i < part->count; ++i) {
      const Index number = part->images[i];
      CHECK(part->labels[i] == number % 3);
      CHECK(part->masks[i] == 255 - number);
      CHECK(part->captions[i] == concat("caption ", number % 5));
    }
  }
  CHECK(split_validation(set, {}, 0.1, 7).second.images == held_out.images);
  CHECK(split_validation(set, {}, 0.1, 8).second.images != held_out.images);
}

TEST_CASE("a split without groups takes the same share of each class") {
  std::vector<Index> labels(200, 0);
  std::fill(labels.begin() + 120, labels.begin() + 180, 1);
  std::fill(labels.begin() + 180, labels.end(), 2);
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const ImageSet held_out = split_validation(numbered_images(labels, 3), {}, 0.1, seed).second;
    for (const auto& [label, count] : {std::pair<Index, Index>{0, 12}, {1, 6}, {2, 2}})
      CHECK(std::count(held_out.labels.begin(), held_out.labels.end(), label) == count);
  }
}

TEST_CASE("a split by group: no group is in both parts, and the share is as near as groups allow") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<Index> groups;
    for (Index group = 0; group < 12; ++group)
      groups.insert(groups.end(), static_cast<std::size_t>(5 + (group * 7 + std::int64_t(seed)) % 9), group);
    const ImageSet set = numbered_images(labels_in_turn(std::ssize(groups), 2), 2);
    const auto [train, held_out] = split_validation(set, groups, 0.2, seed);
    std::set<Index> in_train, in_held_out;
    for (const auto image : train.images) in_train.insert(groups[image]);
    for (const auto image : held_out.images) in_held_out.insert(groups[image]);
    for (const Index group : in_held_out) CHECK(!in_train.contains(group));
    CHECK(in_train.size() + in_held_out.size() == 12);
    CHECK(std::abs(double(held_out.count) - 0.2 * double(set.count)) <= 7);
  }
  // Large groups: one is held out, and one stays.
  const std::vector<Index> two{0, 0, 0, 0, 0, 0, 0, 1, 1, 1};
  for (const double share : {0.01, 0.1, 0.9, 0.99}) {
    const auto [train, held_out] = split_validation(numbered_images(two, 2), two, share, 3);
    CHECK(train.count + held_out.count == 10);
    CHECK((held_out.count == 3 || (share > 0.5 && held_out.count == 7)));
  }
}

TEST_CASE("a split: classes without held-out images are named; impossible splits are refused") {
  const ImageSet set = numbered_images({0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 2);
  const auto [train, held_out] = split_validation(set, {}, 0.1, 0);
  CHECK(missing_classes(set).empty());
  CHECK(missing_classes(train).size() + missing_classes(held_out).size() == 1);
  for (const double share : {0.0, 1.0, -0.5, 2.0, double(NAN)})
    CHECK_THROWS_AS(split_validation(set, {}, share, 0), UsageError);
  const std::vector<Index> one_group(10, 4);
  CHECK_THROWS_AS(split_validation(set, one_group, 0.1, 0), UsageError);
  CHECK_THROWS_AS(split_validation(numbered_images({0}, 1), {}, 0.5, 0), UsageError);
  CHECK_THROWS_AS(split_validation(set, std::vector<Index>(9), 0.5, 0), Error);
}

TEST_CASE("shuffled: the same images in another order; distinct names are sorted, whole numbers by value") {
  const ImageSet set = numbered_images(labels_in_turn(50, 5), 5);
  ImageSet mixed = shuffled(set, 1);
  CHECK(mixed.images != set.images);
  for (Index i = 0; i < 50; ++i) CHECK(mixed.labels[i] == mixed.images[i] % 5);
  std::sort(mixed.images.begin(), mixed.images.end());
  CHECK(mixed.images == set.images);
  CHECK(distinct({"10", "9", "0", "9"}) == std::vector<std::string>{"0", "9", "10"});
  CHECK(distinct({"10", "9", "b"}) == std::vector<std::string>{"10", "9", "b"});
  CHECK(numbered({"b", "a", "b"}) == std::vector<Index>{1, 0, 1});
}

TEST_CASE("a split holds out no image that alone has a class or a word of a caption") {
  ImageSet set = numbered_images({0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 2);
  for (Index i = 0; i < set.count; ++i) set.captions[i] = i == 4 ? "rare word" : "frequent word";
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto [train, held_out] = split_validation(set, {}, 0.5, seed);
    CHECK(missing_classes(train).empty());
    CHECK(std::count(train.captions.begin(), train.captions.end(), "rare word") == 1);
    CHECK(held_out.count >= 3);
  }
  for (Index i = 0; i < set.count; ++i) set.captions[i] = concat("word", i);
  CHECK(split_validation(set, {}, 0.5, 0).second.count == 0);
}
