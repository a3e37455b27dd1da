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

// Asks for a form of four numbers, each made as a part of its own: the sum of the weight and `variant`.
struct Asker {
  std::atomic<int> made = 0;  // parts
  real operator()(const Tensor& weight, PackedLayout form, Index variant) {
    const auto fill = [&](Index part, real* numbers) {
      ++made;
      numbers[part] = static_cast<real>(variant);
      for (const real value : weight.values()) numbers[part] += value;
    };
    const Tensor form_now = packed_weight(weight, form, variant, {{4}, 4, fill});
    for (const real value : form_now.values()) CHECK(value == form_now[0]);
    return form_now[0];
  }
};

}  // namespace

TEST_CASE("a held weight is prepared once a form and variant, by many threads at once; any other each time") {
  const Tensor held = Tensor::full({6, 4}, 1), other = Tensor::full({6, 4}, 2);
  Asker sum_of;
  {
    const PackedWeights kept({held});
    const PackedWeights again({held, held});  // as when two networks share a weight
    parallel_tasks(64, [&](Index i) { CHECK(sum_of(held, PackedLayout::direct_forward, i % 2) == 24 + i % 2); });
    CHECK(sum_of.made == 8);
    CHECK(sum_of(held, PackedLayout::direct_data, 0) == 24);
    CHECK(sum_of.made == 12);
    CHECK(sum_of(held.rows(0, 3), PackedLayout::direct_data, 0) == 12);  // begins where `held` does, and is another
    CHECK(sum_of.made == 16);
    for (int i = 0; i < 3; ++i) CHECK(sum_of(other, PackedLayout::direct_forward, 0) == 48);
    CHECK(sum_of.made == 28);
  }
  for (int i = 0; i < 3; ++i) CHECK(sum_of(held, PackedLayout::direct_forward, 0) == 24);
  CHECK(sum_of.made == 40);
}

TEST_CASE("a form is let go after as many uses as were announced, by all holders alike") {
  const Tensor held = Tensor::full({6, 4}, 1);
  Asker sum_of;
  const PackedWeights kept({held}, 2);
  for (int i = 0; i < 2; ++i) CHECK(sum_of(held, PackedLayout::direct_forward, 0) == 24);
  CHECK(sum_of.made == 4);
  const Index before = memory_use().live_bytes;
  CHECK(sum_of(held, PackedLayout::direct_forward, 0) == 24);
  CHECK(sum_of.made == 8);
  CHECK(memory_use().live_bytes == before + 4 * static_cast<Index>(sizeof(real)));
  CHECK(sum_of(held, PackedLayout::direct_forward, 0) == 24);
  CHECK(memory_use().live_bytes == before);
  const PackedWeights other({held});  // which announces nothing
  for (int i = 0; i < 5; ++i) CHECK(sum_of(held, PackedLayout::direct_forward, 0) == 24);
  CHECK(sum_of.made == 12);
}

TEST_CASE("convolutions see new weights as soon as nobody keeps the old ones, and the same bits either way") {
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
    const PackedWeights kept({w});
    for (int i = 0; i < 2; ++i) {
      const auto got = all();
      CHECK(std::ranges::equal(got.first.values(), fresh.first.values()));
      CHECK(std::ranges::equal(got.second.values(), fresh.second.values()));
    }
  }
}

TEST_CASE("scratch is aligned, keeps what nested scopes hold apart, and is used again") {
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

TEST_CASE("scratch that has become too small is given back") {
  std::thread([] {  // whose scratch is empty
    const auto place = [](Index count) { return Scratch().take(count); };
    Scratch outer;
    const real* held = outer.take(Index{1} << 18);
    place(Index{1} << 19);
    const real* large = place(Index{1} << 20);
    CHECK(place(5) == large);
    CHECK(place(Index{1} << 20) == large);
    CHECK(large != held);
  })
      .join();
}
