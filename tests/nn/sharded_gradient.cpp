#include "nn/sharded_gradient.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops.h"
#include "nn/optimizer.h"

using namespace reverie;

TEST_CASE(
    "the gradient of a batch is the sum over its shards; a parameter the loss does not depend on has gradient zero") {
  ParameterStore store;
  const Var first{store.root().add("first", {2}, zeros()).value}, last{store.root().add("last", {2}, zeros()).value};
  store.root().add("unused", {3}, zeros());
  ShardedGradient gradient(store, 2, 3);
  for (int again = 0; again < 2; ++again) {
    gradient.compute(9, [&](Tape& tape, Index begin, Index end) {  // shards 0 to 4, in accumulators 0, 1, 2, 0, 1
      const Var p = tape.parameter(first.value(), 0), q = tape.parameter(last.value(), 1);
      const real count = end - begin;
      return begin < 2 ? sum(p) * count : sum(q) * count;
    });
    REQUIRE(gradient.value().size() == 3);
    CHECK(gradient.value()[0][0] == 2);
    CHECK(gradient.value()[1][1] == 7);
    CHECK(gradient.value()[2].shape() == Shape{3});
    CHECK(gradient.value()[2][2] == 0);
    CHECK(gradient.norm() == doctest::Approx(std::sqrt(2 * (2 * 2 + 7 * 7))));
    CHECK(gradient.norm() == global_norm(gradient.value()));
  }
}
