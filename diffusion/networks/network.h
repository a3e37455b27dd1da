#pragma once
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "nn/layers.h"

namespace reverie::inline REVERIE_PRECISION {

/// The network of a diffusion model: computes its prediction for noisy samples. Derive from it to add your own network.
class Network {
 public:
  /// `num_classes`: rows of the class table, 0 for a network without classes. One row more than the data has classes
  /// stands for "no class". With `caption_length`, the network reads captions of that many tokens instead, and
  /// `num_classes` counts its tokens; one more than the data has stands for "no caption".
  explicit Network(std::uint64_t seed, Index num_classes = 0, Index caption_length = 0)
      : parameters(seed), num_classes_(num_classes), caption_length_(caption_length) {}
  virtual ~Network() = default;

  /// x: N samples, channels last; t: N time steps of the original chain (real numbers, because samplers in the sigma
  /// form evaluate between time steps); labels: N class numbers, or N captions of `caption_length` tokens; empty if
  /// the network has neither. May be called from several threads at once.
  virtual Var operator()(const Var& x, std::span<const double> t, std::span<const Index> labels,
                         const Mode& mode) const = 0;

  /// The fixed tensors in published state dicts of such a network, besides its parameters, for samples of this shape.
  virtual std::map<std::string, Tensor> constants(const Shape& /*sample_shape*/) const { return {}; }
  Index num_classes() const { return num_classes_; }
  Index caption_length() const { return caption_length_; }
  /// The number of labels of one sample: 1, `caption_length`, or 0.
  Index labels_per_sample() const { return caption_length_ > 0 ? caption_length_ : num_classes_ > 0 ? 1 : 0; }

  ParameterStore parameters;

 private:
  Index num_classes_, caption_length_;
};

/// The embedding of time (and class) that conditions every block: Linear(silu(Linear(sinusoids(t)))) + class row.
/// [Ho20] app. B, [Nichol21]
class TimeEmbedding {
 public:
  /// `sinusoids`, `width`: channels of the sinusoids and of the embedding; `classes`: rows of the class table, 0 for
  /// none.
  TimeEmbedding(const Scope& time, const Scope& label, Index sinusoids, Index width, Index classes)
      : sinusoids_(sinusoids), classes_(classes), first_(time / 0, sinusoids, width), second_(time / 2, width, width) {
    if (classes > 0) labels_.emplace(label, classes, width);
  }
  /// With its own initialisation of the weights; biases start at zero.
  TimeEmbedding(const Scope& time, const Scope& label, Index sinusoids, Index width, Index classes, const Init& init)
      : sinusoids_(sinusoids),
        classes_(classes),
        first_(time / 0, sinusoids, width, init),
        second_(time / 2, width, width, init) {
    if (classes > 0) labels_.emplace(label, classes, width, init);
  }
  /// `on`: a Var whose tape the result joins. Throws Error for labels without classes, classes without labels, and a
  /// label out of range.
  Var operator()(std::span<const double> t, std::span<const Index> labels, const Var& on) const;

 private:
  Index sinusoids_, classes_;
  Linear first_, second_;
  std::optional<Embedding> labels_;
};

}  // namespace reverie::inline REVERIE_PRECISION
