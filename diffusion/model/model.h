#pragma once
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "diffusion/formulations/formulation.h"
#include "diffusion/networks/network.h"
#include "tensor/kernels/choice.h"

namespace reverie::inline REVERIE_PRECISION {

/// A diffusion model: the facts about its data, a network, and the formulation that gives its output a meaning. Build one
/// from parts of your own, or from a configuration by `build_model`.
class DiffusionModel {
 public:
  /// `kernels`: in force whenever the model evaluates its network.
  DiffusionModel(DataFacts facts, std::unique_ptr<Network> network, std::unique_ptr<const Formulation> formulation,
                 const kernels::KernelChoice& kernels = {});

  const DataFacts& facts() const { return facts_; }
  Network& network() { return *network_; }
  const Network& network() const { return *network_; }
  const Formulation& formulation() const { return *formulation_; }
  const Process& process() const { return formulation_->process(); }
  const kernels::KernelChoice& kernels() const { return kernels_; }
  void set_kernels(const kernels::KernelChoice& kernels) { kernels_ = kernels; }

  bool conditional() const { return network_->num_classes() > 0; }
  /// The label that stands for "no class"; the network knows it if `has_null_class`.
  Index null_class() const { return std::ssize(facts_.class_names); }
  bool has_null_class() const { return network_->num_classes() > null_class(); }

  /// The network's output, see Network; by default outside of training.
  Var operator()(const Var& x, std::span<const double> t, std::span<const Index> labels, const Mode& mode = {}) const;
  /// The network with the samples' labels bound, not guided; `labels` is ignored by a model without classes. The model
  /// must outlive the result.
  NetworkFunction with_labels(std::vector<Index> labels) const;

 private:
  DataFacts facts_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<const Formulation> formulation_;
  kernels::KernelChoice kernels_;
};

/// How many samples [H,W,C] or [2] make a task: enough that each packed weight is used often, few enough that their
/// activations stay in cache. At most `images`; of images larger than 32x32, as many as have that number's pixels; of
/// points, 16 `images`.
Index samples_at_once(const Shape& sample, Index images);

}  // namespace reverie::inline REVERIE_PRECISION
