// Samples of each class, and two sets as one.
#include "data/subset.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "data/image_set.h"
#include "data/toy.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

// Image i is one pixel of value i, of class i / 10: sorted by class.
ImageSet sorted(std::vector<std::string> class_names, Index offset = 0) {
  ImageSet set;
  set.count = 10 * std::ssize(class_names), set.height = set.width = set.channels = 1;
  for (Index i = 0; i < set.count; ++i) {
    set.images.push_back(static_cast<std::uint8_t>(i + offset));
    set.labels.push_back(i / 10);
  }
  set.class_names = std::move(class_names);
  return set;
}

bool among(const std::vector<Index>& part, std::vector<Index> all) {
  std::sort(all.begin(), all.end());
  return std::all_of(part.begin(), part.end(), [&](Index i) { return std::binary_search(all.begin(), all.end(), i); });
}

}  // namespace

TEST_CASE("subset of each class: as many of every class, others for another seed, fewer are a part of more") {
  const ImageSet set = sorted({"a", "b", "c"});
  const Subset four = Subset::of_each_class(set, 4, 1), two = Subset::of_each_class(set, 2, 1);
  CHECK(four.size() == 12);
  for (Index c = 0; c < 3; ++c) CHECK(std::count(four.labels.begin(), four.labels.end(), c) == 4);
  for (Index i = 0; i < 12; ++i) CHECK(four.labels[i] == set.labels[four.rows()[i]]);
  const Tensor taken = samples_of(four), expected = set.batch(four.rows());
  CHECK(std::ranges::equal(taken.values(), expected.values()));
  CHECK(among(two.rows(), four.rows()));
  CHECK(!among(Subset::of_each_class(set, 4, 2).rows(), four.rows()));
  CHECK(Subset::of_each_class(set, 10, 1).size() == 30);
  CHECK(contains(error_of([&] { Subset::of_each_class(set, 0, 1); }), "0 samples of each class"));
  CHECK(contains(error_of([&] { Subset::of_each_class(set, 11, 1); }), "only 10 of class \"a\""));
  CHECK(contains(error_of([&] { Subset::of_each_class(toy("swiss_roll", 9, 1), 1, 1); }), "no labels"));
}

TEST_CASE("joined sets: the first, then the second, in any order of indices; classes matched by name") {
  const ImageSet first = sorted({"a", "b"}), second = sorted({"b", "a"}, 100);
  const Joined joined(first, "one", second, "two");
  CHECK(joined.size() == 40);
  CHECK(joined.class_names == first.class_names);
  CHECK(joined.labels[0] == 0);
  CHECK(joined.labels[20] == 1);
  CHECK(joined.labels[39] == 0);
  const std::vector<Index> some{39, 0, 20, 19, 3};
  const Tensor x = joined.batch(some);
  const std::vector<Index> values{119, 0, 100, 19, 3};
  for (Index i = 0; i < 5; ++i) CHECK(to_pixel(x[i]) == values[i]);
  CHECK(joined.batch(std::vector<Index>{25, 21}).shape() == Shape{2, 1, 1, 1});

  const Joined twice(first, "one", second, "two", 2);
  CHECK(twice.size() == 60);
  CHECK(twice.labels[39] == 1);
  const Tensor y = twice.batch(std::vector<Index>{39, 40, 3});
  CHECK((to_pixel(y[0]) == 19 && to_pixel(y[1]) == 100 && to_pixel(y[2]) == 3));
  CHECK(times_for_half(first, twice) == 3);
  CHECK(times_for_half(twice, first) == 1);

  ImageSet other = sorted({"a", "c"}), unlabelled = first;
  unlabelled.labels.clear(), unlabelled.class_names.clear();
  CHECK(contains(error_of([&] { Joined(first, "one", other, "two"); }), "unexpected \"c\""));
  CHECK(contains(error_of([&] { Joined(first, "one", unlabelled, "two"); }), "two: has no labels"));
  CHECK(contains(error_of([&] { Joined(unlabelled, "one", first, "two"); }), "one: has no labels"));
  CHECK(Joined(unlabelled, "one", unlabelled, "two").labels.empty());
  other.height = 2, other.width = 1, other.count = 10;
  CHECK(contains(error_of([&] { Joined(first, "one", other, "two"); }), "two: has samples of shape [2,1,1]"));
}
