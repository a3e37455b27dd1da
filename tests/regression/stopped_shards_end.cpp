// When a shard threw, the loops inside the other shards returned without having run their tasks, and threads waited for
// ever for parts of packed weights that nobody packed: evaluation and sampling hung where Ctrl-C stopped them.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>

#include "data/image_set.h"
#include "diffusion/evaluation/evaluation.h"
#include "diffusion/model/config.h"
#include "diffusion/model/sampling.h"
#include "nn/sharded_gradient.h"
#include "tensor/kernels/packing/packed_weights.h"
#include "tensor/parallel.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using namespace std::chrono_literals;
using kernels::packed_weight;
using kernels::PackedLayout;

namespace {

// Ends the test program if a test case does not end by itself, and sets the number of threads meanwhile.
class MustEnd {
 public:
  explicit MustEnd(std::chrono::seconds within = 120s, int count = 4)
      : watch_([this, within] {
          std::unique_lock lock(mutex_);
          if (ended_.wait_for(lock, within, [&] { return end_; })) return;
          std::fputs("stopped_shards_end: a stopped loop hangs\n", stderr);
          std::abort();
        }) {
    set_threads(count);
  }
  ~MustEnd() {
    set_threads(0);
    {
      const std::lock_guard lock(mutex_);
      end_ = true;
    }
    ended_.notify_all();
    watch_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::thread watch_;
};

DiffusionModel small_unet(const DataFacts& facts) {
  Config config;
  config.model.channel_mult = {1, 2}, config.model.num_res_blocks = 1, config.model.attention_resolutions = {};
  config.diffusion.steps = 20;
  return build_model(config, facts);
}

// A progress function that returns false once, at its n-th call, and how often it was called.
struct StopAt {
  explicit StopAt(int n) : n(n) {}
  std::function<bool(double)> function() {
    return [this](double) { return ++calls != n; };
  }
  int n, calls = 0;
};

}  // namespace

TEST_CASE("evaluation, likelihood and sampling end where progress returns false, and don't call it again") {
  const MustEnd watch;
  const ImageSet set = ImageSet::from(noise({64, 8, 8, 1}));
  const DiffusionModel model = small_unet(facts_of(set));
  SampleRequest request;
  request.count = 64, request.steps = 5;
  for (int call = 1; call <= 6; ++call) {
    for (int repetition = 0; repetition < 3; ++repetition) {
      StopAt bound(call), sampling(call), likelihood(call), encoding(call);
      CHECK(contains(error_of([&] { evaluate_bound(model, set, 64, 0, true, bound.function()); }), "interrupted"));
      CHECK(contains(error_of([&] { generate(model, request, sampling.function()); }), "interrupted"));
      CHECK(contains(error_of([&] { evaluate_likelihood(model, set, 64, {.tolerance = 0.1}, likelihood.function()); }),
                     "interrupted"));
      CHECK(contains(error_of([&] {
                       encode(model, noise({64, 8, 8, 1}), request, encoding.function());
                     }),
                     "interrupted"));
      for (const StopAt& stop : {bound, sampling, likelihood, encoding}) CHECK(stop.calls == call);
    }
  }
}

TEST_CASE("a shard of a training step that throws ends the step; the next one has the right gradient") {
  const MustEnd watch;
  const DataFacts facts{{8, 8, 1}, {}};
  const DiffusionModel model = small_unet(facts);
  const Tensor x = noise({32, 8, 8, 1});
  ShardedGradient gradient(model.network().parameters, 2, 8);
  const auto loss = [&](Tape& tape, Index first, Index last) {
    const Var y = model(tape.constant(x.rows(first, last)), std::vector<double>(last - first, 10.0), {});
    return sum(y * y);
  };
  const auto norm = [&] {
    gradient.compute(32, loss);
    return gradient.norm();
  };
  const double whole = norm();
  for (Index failing = 0; failing < 16; ++failing) {
    const auto stopped = [&](Tape& tape, Index first, Index last) {
      if (first / 2 == failing) throw std::runtime_error("this shard");
      return loss(tape, first, last);
    };
    CHECK_THROWS_WITH_AS(gradient.compute(32, stopped), "this shard", std::runtime_error);
    CHECK(norm() == whole);
  }
}

TEST_CASE("a loop that returns has run all its tasks, also where the loop around it fails") {
  const MustEnd watch;
  std::atomic<int> incomplete = 0;
  for (int repetition = 0; repetition < 300; ++repetition) {
    const auto outer = [&](Index i) {
      if (i == repetition % 8) throw std::runtime_error("outer");
      for (int round = 0; round < 20; ++round) {
        std::atomic<int> middle = 0;
        parallel_tasks(4, [&](Index) {
          std::atomic<int> inner = 0;
          parallel_tasks(4, [&](Index) { ++inner; });
          incomplete += inner != 4;
          ++middle;
        });
        incomplete += middle != 4;
      }
    };
    CHECK_THROWS_WITH_AS(parallel_tasks(8, outer), "outer", std::runtime_error);
  }
  CHECK(incomplete == 0);
}

TEST_CASE("where packing fails in one thread, the others pack the weight for themselves, and later ones afresh") {
  const MustEnd watch;
  const Tensor weight = Tensor::full({6, 4}, 1);
  for (int repetition = 0; repetition < 200; ++repetition) {
    const kernels::PackedWeights cache({weight});
    std::atomic<int> packed = 0, wrong = 0, failures = 0;
    std::atomic<bool> fail = true;
    const auto pack = [&](Index part, real* numbers) {
      ++packed;
      if (part == repetition % 5 && fail.exchange(false)) throw std::bad_alloc();
      numbers[part] = 3;
    };
    const auto task = [&](Index) {
      try {
        const Tensor numbers = packed_weight(weight, PackedLayout::direct_forward, 0, {{5}, 5, pack});
        for (const real number : numbers.values()) wrong += number != 3;
      } catch (const std::bad_alloc&) {
        ++failures;
      }
    };
    parallel_tasks(8, task);
    CHECK(failures == 1);
    const int before = packed;
    task(0);
    task(0);
    CHECK(wrong == 0);
    CHECK(packed - before <= 5);  // the second comes from the cache
  }
}
