#include "tensor/kernels/packing/packed_weights.h"

#include <atomic>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <tuple>
#include <unordered_map>

#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// A packed weight: threads have started parts [0, started) and finished `finished` of them. If one of them fails, the
// rest may never be started, so it counts them as finished, and the waiting threads see `failed`.
struct Packed {
  Tensor numbers;
  Index uses = 0;
  std::atomic<Index> started = 0, finished = 0;
  std::atomic<bool> failed = false;
};

// A weight with the packed forms it has so far.
struct CachedWeight {
  Tensor weight;
  int holders = 0;  // PackedWeights objects
  Index uses = 0;   // of each packed form, after which it is freed; 0: never
  std::mutex mutex;
  std::map<std::tuple<PackedLayout, Index, bool>, std::shared_ptr<Packed>> packed;  // by layout, variant, bfloat16
};

// All cached weights by the address of their data. CachedWeight::weight keeps that memory from being used again.
struct Cache {
  std::shared_mutex mutex;
  std::unordered_map<const real*, std::shared_ptr<CachedWeight>> weights;
};
Cache& cache() {
  static Cache instance;
  return instance;
}

Tensor pack(const Packer& packer) {
  Tensor numbers = Tensor::uninitialized(packer.shape);
  parallel_tasks(packer.parts, [&](Index part) { packer.pack(part, numbers.data()); });
  return numbers;
}

// Packs the parts that no other thread has started, and waits for those. Returns whether all of them succeeded.
bool pack_together(Packed& packed, const Packer& packer) {
  try {
    parallel_tasks(packed.started < packer.parts ? packer.parts : 0, [&](Index) {
      const Index part = packed.started++;
      if (part >= packer.parts) return;  // the threads of other shards have started the rest
      packer.pack(part, packed.numbers.data());
      if (++packed.finished == packer.parts) packed.finished.notify_all();
    });
  } catch (...) {
    packed.failed = true;
    packed.finished += packer.parts;
    packed.finished.notify_all();
    throw;
  }
  for (Index finished = 0; (finished = packed.finished) < packer.parts;) packed.finished.wait(finished);
  return !packed.failed;
}

}  // namespace

Tensor packed_weight(const Tensor& weight, PackedLayout layout, Index variant, const Packer& packer) {
  std::shared_ptr<CachedWeight> cached;
  {
    Cache& c = cache();
    const std::shared_lock lock(c.mutex);
    const auto found = c.weights.find(weight.data());
    if (found != c.weights.end()) cached = found->second;
  }
  if (!cached || cached->weight.shape() != weight.shape()) return pack(packer);
  std::shared_ptr<Packed> packed;
  {
    const std::lock_guard lock(cached->mutex);
    const auto entry = cached->packed.try_emplace({layout, variant, packer.bfloat16}).first;
    if (!entry->second || entry->second->failed) {
      const auto empty = std::make_shared<Packed>();
      empty->numbers = Tensor::uninitialized(packer.shape);
      entry->second = empty;
    }
    packed = entry->second;
    if (++packed->uses == cached->uses) cached->packed.erase(entry);
  }
  return pack_together(*packed, packer) ? packed->numbers : pack(packer);  // another thread's failure is not ours
}

PackedWeights::PackedWeights(const std::vector<Tensor>& weights, Index uses) : weights_(weights) {
  Cache& c = cache();
  const std::unique_lock lock(c.mutex);
  for (const Tensor& weight : weights_) {
    std::shared_ptr<CachedWeight>& cached = c.weights[weight.data()];
    if (!cached) {
      cached = std::make_shared<CachedWeight>();
      cached->weight = weight;
      cached->uses = uses;
    }
    if (cached->uses != uses) cached->uses = 0;  // the holders disagree
    ++cached->holders;
  }
}

PackedWeights::~PackedWeights() {
  Cache& c = cache();
  const std::unique_lock lock(c.mutex);
  for (const Tensor& weight : weights_) {
    const auto cached = c.weights.find(weight.data());
    if (--cached->second->holders == 0) c.weights.erase(cached);
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
