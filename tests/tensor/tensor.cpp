#include "tensor/tensor.h"

#include <doctest/doctest.h>

#include "tensor/storage.h"

using namespace reverie;

TEST_CASE("copies share data, clones do not; a reshape and rows share it") {
  Tensor a = Tensor::from({2, 3}, {0, 1, 2, 3, 4, 5});
  Tensor same = a, own = a.clone(), flat = a.reshape({-1}), second = a.rows(1, 2);
  a[4] = 40;
  CHECK(same[4] == 40);
  CHECK(flat[4] == 40);
  CHECK(second[1] == 40);
  CHECK(own[4] == 4);
  CHECK(flat.shape() == Shape{6});
  CHECK(second.shape() == Shape{1, 3});
}

TEST_CASE("shapes: sizes, negative axes, printing") {
  const Shape shape{2, 3, 4};
  CHECK(shape.size() == 24);
  CHECK(Shape{}.size() == 1);
  CHECK(shape[-1] == 4);
  CHECK(shape.with(-2, 7) == Shape{2, 7, 4});
  CHECK(concat(shape) == "[2,3,4]");
  CHECK(Shape{2} != Shape{2, 1});
}

TEST_CASE("what does not fit is a ShapeError that says how") {
  const Tensor a = Tensor::zeros({2, 3});
  CHECK_THROWS_WITH_AS(a.reshape({4, 2}), "reshape: [2,3] has 6 elements, [4,2] has 8", ShapeError);
  CHECK_THROWS_AS(a.rows(1, 3), ShapeError);
  CHECK_THROWS_WITH_AS(a.extent(2), "shape [2,3] has no axis 2", ShapeError);
  CHECK_THROWS_AS(a.item(), ShapeError);
  CHECK_THROWS_AS(Tensor::from({2}, {1, 2, 3}), ShapeError);
  CHECK_THROWS_AS(Tensor::zeros({-1}), ShapeError);
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
  const Index many = Index{1} << 32;
  CHECK_THROWS_WITH_AS((Shape{many, many}),
                       "a tensor of shape [4294967296,4294967296] has more elements than any memory holds", ShapeError);
  CHECK_THROWS_AS((Shape{many, 1}).with(1, many), ShapeError);
  CHECK_THROWS_AS((Shape{0, many, many}), ShapeError);  // its rows can't be counted
  CHECK_THROWS_WITH_AS(broadcast("add", {2, 3}, {2, 4}), "add: shapes [2,3] and [2,4] do not broadcast", ShapeError);
}

TEST_CASE("broadcasting aligns at the last axis") {
  CHECK(broadcast("add", {2, 3, 4}, {4}) == Shape{2, 3, 4});
  CHECK(broadcast("add", {3, 1}, {1, 4}) == Shape{3, 4});
  CHECK(broadcast("add", {}, {2}) == Shape{2});
}

TEST_CASE("storage is aligned to cache lines and counted") {
  const Index before = memory_use().live_bytes;
  {
    const Tensor a = Tensor::zeros({100});
    CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % 64 == 0);
    CHECK(memory_use().live_bytes - before == static_cast<Index>(100 * sizeof(real)));
  }
  CHECK(memory_use().live_bytes == before);
}
