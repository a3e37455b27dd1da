#include "tensor/pool.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

using namespace reverie;

namespace {

constexpr std::size_t megabyte = std::size_t{1} << 20;

// A block filled with a number of its own, which nobody else may change.
struct Filled {
  unsigned char* data;
  std::size_t size;
  unsigned char mark;

  Filled(Pool& pool, std::size_t bytes, int number)
      : data(static_cast<unsigned char*>(pool.take(bytes))), size(bytes), mark(static_cast<unsigned char>(number)) {
    std::fill_n(data, size, mark);
  }
  bool intact() const {
    return std::all_of(data, data + size, [&](unsigned char c) { return c == mark; });
  }
};

}  // namespace

TEST_CASE("blocks are aligned, keep what is written, and come back in any order") {
  Pool pool;
  std::mt19937 random(1);
  std::vector<Filled> blocks;
  bool aligned = true, intact = true;
  for (int i = 0; i < 3000; ++i) {
    if (blocks.size() > 20 || (!blocks.empty() && random() % 3 == 0)) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      intact = intact && blocks.back().intact();
      pool.give_back(blocks.back().data);
      blocks.pop_back();
    } else {
      blocks.emplace_back(pool, random() % (1 << 18), i);
      aligned = aligned && reinterpret_cast<std::uintptr_t>(blocks.back().data) % 64 == 0;
    }
  }
  for (const Filled& block : blocks) intact = intact && block.intact();
  CHECK(aligned);
  CHECK(intact);
  CHECK(pool.held() == 64 * megabyte);  // 20 blocks of a quarter megabyte at the most, 3000 times
}

TEST_CASE("free neighbours become one block again") {
  Pool pool;
  std::vector<void*> parts;
  for (int i = 0; i < 64; ++i) parts.push_back(pool.take(megabyte));
  CHECK(pool.held() == 64 * megabyte);
  for (const int first : {0, 2, 1, 3}) {  // every order of left, right and both
    for (std::size_t i = static_cast<std::size_t>(first); i < parts.size(); i += 4) pool.give_back(parts[i]);
  }
  void* whole = pool.take(64 * megabyte);
  CHECK(whole == parts[0]);
  CHECK(pool.held() == 64 * megabyte);
}

TEST_CASE("the smallest block that is large enough is taken, and the next step finds what the last one gave back") {
  Pool pool;
  void* large = pool.take(4 * megabyte);
  void* wall = pool.take(64);
  void* small = pool.take(2 * megabyte);
  void* end = pool.take(64);
  pool.give_back(large);
  pool.give_back(small);
  CHECK(pool.take(megabyte) == small);
  CHECK(pool.take(3 * megabyte) == large);
  CHECK(wall < small);
  CHECK(small < end);
}

TEST_CASE("a block larger than any region, and one that no machine has") {
  Pool pool;
  Filled block(pool, 100 * megabyte, 7);
  CHECK(block.intact());
  CHECK(pool.held() == 100 * megabyte);
  CHECK_THROWS_AS(pool.take(std::size_t{1} << 62), std::bad_alloc);
  pool.give_back(block.data);
  CHECK(pool.take(100 * megabyte) == block.data);
}

TEST_CASE("threads share a pool") {
  Pool pool;
  std::vector<std::thread> threads;
  std::vector<char> intact(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      bool all = true;
      for (int i = 0; i < 300; ++i) {
        const Filled one(pool, static_cast<std::size_t>(1000 * (t + 1) + i), t), two(pool, 100'000, t + 4);
        all = all && one.intact() && two.intact();
        pool.give_back(one.data);
        pool.give_back(two.data);
      }
      intact[t] = all;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(std::count(intact.begin(), intact.end(), 1) == 4);
}
