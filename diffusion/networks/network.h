#pragma once
#include <memory>
#include <optional>
#include <span>

#include "nn/layers.h"

namespace reverie::inline REVERIE_PRECISION {

/// What a diffusion model asks: its prediction at noisy samples.
class Network {
 public:
  explicit Network(std::uint64_t seed) : parameters(seed) {}
  virtual ~Network() = default;

  /// x: N samples, channels last; t: N steps of the original chain (real numbers: samplers in the sigma form ask
  /// between steps); labels: N class numbers, empty where the network has no classes. Several threads may call at once.
  virtual Var operator()(const Var& x, std::span<const double> t, std::span<const Index> labels,
                         const Mode& mode) const = 0;

  ParameterStore parameters;
};

/// The embedding of time (and class) that conditions every block: Linear(silu(Linear(sinusoids(t)))) + class row. Width
/// is four times that of the sinusoids.                                                             [Ho20] app. B,
/// [Nichol21]
class TimeEmbedding {
 public:
  /// `classes`: rows of the class table, 0 for none.
  TimeEmbedding(const Scope& scope, Index width, Index classes)
      : width_(width),
        classes_(classes),
        first_(scope / "time_embed" / 0, width, 4 * width),
        second_(scope / "time_embed" / 2, 4 * width, 4 * width) {
    if (classes > 0) labels_.emplace(scope / "label_emb", classes, 4 * width);
  }
  /// `on`: a Var whose tape the result joins. Throws Error for labels without classes, classes without labels, and a
  /// label out of range.
  Var operator()(std::span<const double> t, std::span<const Index> labels, const Var& on) const;

 private:
  Index width_, classes_;
  Linear first_, second_;
  std::optional<Embedding> labels_;
};

}  // namespace reverie::inline REVERIE_PRECISION
