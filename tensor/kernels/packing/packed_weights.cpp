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

// A form, made or in the making: parts [0, begun) have been begun, and `done` of them are finished.
struct Form {
  Tensor numbers;
  Index uses = 0;
  std::atomic<Index> begun = 0, done = 0;
};

// A weight that is held, how often, and its forms so far.
struct Kept {
  Tensor weight;
  int holders = 0;
  Index uses = 0;  // of a form, after which it is let go; 0: never
  std::mutex mutex;
  std::map<std::tuple<PackedForm, Index, bool>, std::shared_ptr<Form>> forms;  // by name, variant, bfloat16
};

// All weights that are held, by where their numbers lie: the handle in Kept sees to it that nothing else can lie there.
struct Registry {
  std::shared_mutex mutex;
  std::unordered_map<const real*, std::shared_ptr<Kept>> kept;
};
Registry& registry() {
  static Registry instance;
  return instance;
}

}  // namespace

Tensor packed_weight(const Tensor& weight, PackedForm name, Index variant, const PackingRecipe& recipe) {
  std::shared_ptr<Kept> kept;
  {
    Registry& r = registry();
    const std::shared_lock lock(r.mutex);
    const auto found = r.kept.find(weight.data());
    if (found != r.kept.end()) kept = found->second;
  }
  if (!kept || kept->weight.shape() != weight.shape()) {
    Tensor numbers = Tensor::uninitialized(recipe.shape);
    parallel_tasks(recipe.parts, [&](Index part) { recipe.fill(part, numbers.data()); });
    return numbers;
  }
  std::shared_ptr<Form> form;
  {
    const std::lock_guard lock(kept->mutex);
    const auto place = kept->forms.try_emplace({name, variant, recipe.bfloat16}).first;
    if (!place->second) {
      place->second = std::make_shared<Form>();
      place->second->numbers = Tensor::uninitialized(recipe.shape);
    }
    form = place->second;
    if (++form->uses == kept->uses) kept->forms.erase(place);
  }
  parallel_tasks(form->begun < recipe.parts ? recipe.parts : 0, [&](Index) {
    const Index part = form->begun++;
    if (part >= recipe.parts) return;  // other shards' threads have come before
    recipe.fill(part, form->numbers.data());
    if (++form->done == recipe.parts) form->done.notify_all();
  });
  for (Index done = 0; (done = form->done) < recipe.parts;) form->done.wait(done);
  return form->numbers;
}

PackedWeights::PackedWeights(const std::vector<Tensor>& weights, Index uses) : weights_(weights) {
  Registry& r = registry();
  const std::unique_lock lock(r.mutex);
  for (const Tensor& weight : weights_) {
    std::shared_ptr<Kept>& kept = r.kept[weight.data()];
    if (!kept) {
      kept = std::make_shared<Kept>();
      kept->weight = weight;
      kept->uses = uses;
    }
    if (kept->uses != uses) kept->uses = 0;  // holders of two minds
    ++kept->holders;
  }
}

PackedWeights::~PackedWeights() {
  Registry& r = registry();
  const std::unique_lock lock(r.mutex);
  for (const Tensor& weight : weights_) {
    const auto kept = r.kept.find(weight.data());
    if (--kept->second->holders == 0) r.kept.erase(kept);
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
