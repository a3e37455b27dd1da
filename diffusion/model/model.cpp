#include "diffusion/model/model.h"

#include <algorithm>

namespace reverie::inline REVERIE_PRECISION {

DiffusionModel::DiffusionModel(DataFacts facts, std::unique_ptr<Network> network,
                               std::unique_ptr<const Formulation> formulation, const kernels::KernelChoice& kernels)
    : facts_(std::move(facts)), network_(std::move(network)), formulation_(std::move(formulation)), kernels_(kernels) {
  if (!network_ || !formulation_) throw UsageError("model: a network and a formulation are required");
  if (conditional() && network_->num_classes() < null_class()) {
    throw UsageError("model: the network has ", network_->num_classes(), " classes, the data has ", null_class());
  }
}

Var DiffusionModel::operator()(const Var& x, std::span<const double> t, std::span<const Index> labels,
                               const Mode& mode) const {
  const kernels::WithKernels scope(kernels_);
  return (*network_)(x, t, labels, mode);
}

NetworkFunction DiffusionModel::with_labels(std::vector<Index> labels) const {
  if (!conditional()) labels.clear();
  return [this, labels = std::move(labels)](const Var& x, std::span<const double> t) { return (*this)(x, t, labels); };
}

Index samples_at_once(const Shape& sample, Index images) {
  if (sample.rank() < 3) return 16 * images;
  return std::clamp<Index>(images * 32 * 32 / std::max<Index>(1, sample[0] * sample[1]), 1, images);
}

}  // namespace reverie::inline REVERIE_PRECISION
