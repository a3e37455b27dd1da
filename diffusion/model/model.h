#pragma once
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "diffusion/formulations/formulation.h"
#include "diffusion/networks/network.h"
#include "diffusion/process/noise.h"
#include "tensor/kernels/choice.h"

namespace reverie::inline REVERIE_PRECISION {

/// A diffusion model: the facts about its data, a network, and the formulation that interprets its output. Build one
/// from your own parts, or from a configuration with `build_model`.
class DiffusionModel {
 public:
  /// `kernels`: used whenever the model evaluates its network. `noise`: added to samples in training. `low_resolution`:
  /// see below.
  DiffusionModel(DataFacts facts, std::unique_ptr<Network> network, std::unique_ptr<const Formulation> formulation,
                 const kernels::KernelChoice& kernels = {}, const Noise& noise = gaussian_noise(),
                 Index low_resolution = 0);

  const DataFacts& facts() const { return facts_; }
  Network& network() { return *network_; }
  const Network& network() const { return *network_; }
  const Formulation& formulation() const { return *formulation_; }
  const Process& process() const { return formulation_->process(); }
  const Noise& noise() const { return *noise_; }
  const kernels::KernelChoice& kernels() const { return kernels_; }
  void set_kernels(const kernels::KernelChoice& kernels) { kernels_ = kernels; }

  /// Whether the network is given classes or captions.
  bool conditional() const { return network_->labels_per_sample() > 0; }
  bool text_conditional() const { return network_->caption_length() > 0; }
  bool class_conditional() const { return conditional() && !text_conditional(); }
  /// The label for "no class", the token for "no caption"; the network accepts it if `has_null_class`.
  Index null_class() const { return text_conditional() ? facts_.tokenizer.size() : std::ssize(facts_.class_names); }
  bool has_null_class() const { return network_->num_classes() > null_class(); }

  /// If positive, the model enlarges pictures by this factor: its network is also given what `picture_of` makes of each
  /// sample, as channels behind those of x_t.
  Index low_resolution() const { return low_resolution_; }
  /// Reduces images [N,H,W,C] by the factor (each pixel the mean of its area) and enlarges them back (each pixel
  /// repeated); undefined if the model doesn't enlarge pictures.
  Tensor picture_of(const Tensor& x0) const;
  /// The same for images that are small already, [N,H/factor,W/factor,C].
  Tensor picture_of_small(const Tensor& small) const;

  /// The network's output, see Network; by default in inference mode. `picture`: see above; if x has k times its rows,
  /// as under guidance, it counts k times.
  Var operator()(const Var& x, std::span<const double> t, std::span<const Index> labels, const Mode& mode = {},
                 const Tensor& picture = {}) const;
  /// The tokens of captions, or, where a caption is empty, of "no caption" if the model was trained with it.
  std::vector<Index> tokens_of(std::span<const std::string> captions) const;
  /// The network with the samples' labels and pictures bound, not guided; a model without classes ignores `labels`. The
  /// model must outlive the result.
  NetworkFunction with_labels(std::vector<Index> labels, const Tensor& picture = {}) const;

 private:
  DataFacts facts_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<const Formulation> formulation_;
  kernels::KernelChoice kernels_;
  const Noise* noise_;
  Index low_resolution_;
};

/// Checks that a set suits the model and returns its labels as the network takes them, `labels_per_sample` for each:
/// classes matched by name as in `match_classes`, or the tokens of its captions. Throws UsageError, naming `where`, for
/// samples of another shape, other classes, missing captions and words that the model doesn't know.
std::vector<Index> require_fits(const DiffusionModel& model, const Dataset& data, const std::string& where);

/// The number of samples [H,W,C] or [2] per task: enough that each packed weight is reused, few enough that the
/// activations stay in cache. At most `images`; for images larger than 32x32, as many as have the same number of
/// pixels; for points, 16 * `images`.
Index samples_at_once(const Shape& sample, Index images);

}  // namespace reverie::inline REVERIE_PRECISION
