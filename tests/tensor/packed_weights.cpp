#include "tensor/kernels/packing/packed_weights.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "autograd/ops.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"
#include "tensor/storage.h"

using namespace reverie;
using kernels::packed_weight;
using kernels::PackedLayout;
using kernels::PackedWeights;

namespace {

// Packs a weight into four numbers, one part each: the sum of the weight, plus `variant`.
struct Sum {
  std::atomic<int> packed_parts = 0;
  real operator()(const Tensor& weight, PackedLayout layout, Index variant) {
    const auto pack = [&](Index part, real* numbers) {
      ++packed_parts;
      numbers[part] = static_cast<real>(variant);
      for (const real value : weight.values()) numbers[part] += value;
    };
    const Tensor packed = packed_weight(weight, layout, variant, {{4}, 4, pack});
    for (const real value : packed.values()) CHECK(value == packed[0]);
    return packed[0];
  }
};

}  // namespace

TEST_CASE("a cached weight is packed once per layout and variant, by many threads; any other each time") {
  const Tensor cached = Tensor::full({6, 4}, 1), other = Tensor::full({6, 4}, 2);
  Sum sum_of;
  {
    const PackedWeights cache({cached});
    const PackedWeights again({cached, cached});  // as when two networks share a weight
    parallel_tasks(64, [&](Index i) { CHECK(sum_of(cached, PackedLayout::direct_forward, i % 2) == 24 + i % 2); });
    CHECK(sum_of.packed_parts == 8);
    CHECK(sum_of(cached, PackedLayout::direct_data, 0) == 24);
    CHECK(sum_of.packed_parts == 12);
    CHECK(sum_of(cached.rows(0, 3), PackedLayout::direct_data, 0) == 12);  // another weight at the same address
    CHECK(sum_of.packed_parts == 16);
    for (int i = 0; i < 3; ++i) CHECK(sum_of(other, PackedLayout::direct_forward, 0) == 48);
    CHECK(sum_of.packed_parts == 28);
  }
  for (int i = 0; i < 3; ++i) CHECK(sum_of(cached, PackedLayout::direct_forward, 0) == 24);
  CHECK(sum_of.packed_parts == 40);
}

TEST_CASE("a packed weight is freed after its last use, if all holders give the same number of uses") {
  const Tensor cached = Tensor::full({6, 4}, 1);
  Sum sum_of;
  const PackedWeights cache({cached}, 2);
  for (int i = 0; i < 2; ++i) CHECK(sum_of(cached, PackedLayout::direct_forward, 0) == 24);
  CHECK(sum_of.packed_parts == 4);
  const Index before = memory_use().live_bytes;
  CHECK(sum_of(cached, PackedLayout::direct_forward, 0) == 24);
  CHECK(sum_of.packed_parts == 8);
  CHECK(memory_use().live_bytes == before + 4 * static_cast<Index>(sizeof(real)));
  CHECK(sum_of(cached, PackedLayout::direct_forward, 0) == 24);
  CHECK(memory_use().live_bytes == before);
  const PackedWeights other({cached});  // with no number of uses
  for (int i = 0; i < 5; ++i) CHECK(sum_of(cached, PackedLayout::direct_forward, 0) == 24);
  CHECK(sum_of.packed_parts == 12);
}

TEST_CASE("convolutions use new weights as soon as the cache is gone, and give the same bits with and without it") {
  const auto draw = [](const Shape& shape, Index channel) {
    return normal(RandomKey{.seed = 3}.with_channel(channel), shape);
  };
  const Tensor x = draw({2, 8, 8, 16}, 0);
  Tensor w = draw({16, 16, 3, 3}, 1);
  const auto all = [&] {
    Tape tape;
    const Var on_tape = tape.variable(x), y = conv2d(on_tape, w, {}, {.padding = 1});
    tape.backward(y, y.value(), {});
    return std::pair{y.value(), tape.gradient(on_tape)};
  };
  for (const double scale : {1.0, 2.0}) {
    for (real& value : w.values()) value *= static_cast<real>(scale);
    const auto fresh = all();
    const PackedWeights cache({w});
    for (int i = 0; i < 2; ++i) {
      const auto got = all();
      CHECK(std::ranges::equal(got.first.values(), fresh.first.values()));
      CHECK(std::ranges::equal(got.second.values(), fresh.second.values()));
    }
  }
}

TEST_CASE("scratch memory is aligned, separate in nested scopes, and reused") {
  Scratch outer;
  real* a = outer.take(5);
  std::fill_n(a, 5, real(1));
  const real* first = nullptr;
  for (int round = 0; round < 2; ++round) {
    Scratch inner;
    real *b = inner.take(3), *c = inner.take(Index{1} << 20);
    CHECK(reinterpret_cast<std::uintptr_t>(b) % 64 == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(c) % 64 == 0);
    std::fill_n(b, 3, real(2));
    std::fill_n(c, Index{1} << 20, real(3));
    CHECK(std::all_of(b, b + 3, [](real value) { return value == 2; }));
    if (round == 0) first = b;
    CHECK(b == first);
  }
  CHECK(std::all_of(a, a + 5, [](real value) { return value == 1; }));
}

TEST_CASE("scratch memory that has become too small is freed") {
  std::thread([] {  // whose scratch is empty
    const auto address = [](Index count) { return Scratch().take(count); };
    Scratch outer;
    const real* cached = outer.take(Index{1} << 18);
    address(Index{1} << 19);
    const real* large = address(Index{1} << 20);
    CHECK(address(5) == large);
    CHECK(address(Index{1} << 20) == large);
    CHECK(large != cached);
  })
      .join();
}
