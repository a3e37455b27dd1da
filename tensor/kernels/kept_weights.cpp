#include "tensor/kernels/kept_weights.h"

#include <map>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// A weight that is held, how often, and its forms so far.
struct Kept {
  Tensor weight;
  int holders = 0;
  std::mutex mutex;
  std::map<std::pair<WeightForm, Index>, Tensor> forms;
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

Tensor prepared(const Tensor& weight, WeightForm form, Index variant, const std::function<Tensor()>& make) {
  std::shared_ptr<Kept> kept;
  {
    Registry& r = registry();
    const std::shared_lock lock(r.mutex);
    const auto found = r.kept.find(weight.data());
    if (found != r.kept.end()) kept = found->second;
  }
  if (!kept || kept->weight.shape() != weight.shape()) return make();
  const std::lock_guard lock(kept->mutex);
  Tensor& prepared = kept->forms[{form, variant}];
  if (!prepared.defined()) prepared = make();
  return prepared;
}

KeptWeights::KeptWeights(const std::vector<Tensor>& weights) : weights_(weights) {
  Registry& r = registry();
  const std::unique_lock lock(r.mutex);
  for (const Tensor& weight : weights_) {
    std::shared_ptr<Kept>& kept = r.kept[weight.data()];
    if (!kept) {
      kept = std::make_shared<Kept>();
      kept->weight = weight;
    }
    ++kept->holders;
  }
}

KeptWeights::~KeptWeights() {
  Registry& r = registry();
  const std::unique_lock lock(r.mutex);
  for (const Tensor& weight : weights_) {
    const auto kept = r.kept.find(weight.data());
    if (--kept->second->holders == 0) r.kept.erase(kept);
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
