#include "data/scenes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "data/scene_detector.h"
#include "tests/helpers.h"

using namespace reverie;

TEST_CASE("scenes: the grammar has 1,728 scenes; captions are read back; unseen ones have a pair that training lacks") {
  CHECK(scenes(SceneKind::all).size() == 24 * 18 * 4);
  CHECK(scenes(SceneKind::seen).size() + scenes(SceneKind::unseen).size() == 24 * 18 * 4);
  for (const Scene& scene : scenes(SceneKind::seen)) {
    CHECK(scene_of(caption_of(scene)) == scene);
    for (const char* pair : {"red square", "blue circle", "yellow triangle"}) {
      CHECK(!contains(caption_of(scene), pair));
    }
  }
  CHECK(contains(error_of([] { scene_of("a huge red circle"); }), "a large green triangle above a small red circle"));
}

TEST_CASE("the detector finds what was drawn, and says what is wrong") {
  const Index count = 400;
  const ImageSet set = scene_set(SceneKind::all, count, 1);
  Index exact = 0, relations = 0, attributes = 0;
  for (Index i = 0; i < count; ++i) {
    const std::span image(set.images.data() + i * 32 * 32 * 3, 32 * 32 * 3);
    const Scene scene = scene_of(set.captions[i]);
    const SceneScore truth = score(scene, image);
    exact += truth.exact;
    Scene other = scene;
    other.relation = scene.relation ^ 1;  // the opposite one
    other.first.size = 1 - scene.first.size;
    other.second.shape = (scene.second.shape + 1) % 3;
    relations += score(other, image).relation;
    attributes += score(other, image).attributes();
  }
  CHECK(exact >= count * 99 / 100);
  CHECK(relations <= count / 100);
  CHECK(attributes <= 4 * count + count / 20);
  const std::vector<std::uint8_t> blank(32 * 32 * 3, 255);
  CHECK(find_objects(blank).empty());
  CHECK(score(scene_of(set.captions[0]), blank).attributes() == 0);
}

TEST_CASE("scene i is a function of the seed and i") {
  const ImageSet few = scene_set(SceneKind::seen, 3, 7), more = scene_set(SceneKind::seen, 5, 7);
  CHECK(std::equal(few.images.begin(), few.images.end(), more.images.begin()));
  CHECK(few.images != scene_set(SceneKind::seen, 3, 8).images);
  CHECK_THROWS_AS(scene_set(SceneKind::seen, 0, 7), UsageError);
}
