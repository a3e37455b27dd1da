#pragma once
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "data/tokenizer.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

inline constexpr Index all_samples = std::numeric_limits<Index>::max();

/// The samples that a model learns from. Derive from it to train on data of your own: three functions and, if there
/// are classes, two vectors.
struct Dataset {
  std::string name;
  std::vector<Index> labels;             ///< one per sample, an index into class_names; empty if there are no classes
  std::vector<std::string> class_names;  ///< empty if there are no classes
  std::vector<std::string> captions;     ///< one per sample; empty if there are none

  virtual ~Dataset() = default;
  virtual Index size() const = 0;          ///< the number of samples, at least 1
  virtual Shape sample_shape() const = 0;  ///< [H,W,C] for images, [2] for points
  /// The samples at these indices, [n, sample_shape], in the range that the network sees (images: [-1,1]).
  virtual Tensor batch(std::span<const Index> indices) const = 0;
  /// The order of an epoch, a permutation of 0 .. size() - 1 and a function of the key. A set that can't reach all of
  /// its samples equally fast may choose an order that suits it.
  virtual std::vector<Index> epoch_order(const RandomKey& key) const { return permutation(key, size()); }
};

/// The facts about a dataset that a model is built for.
struct DataFacts {
  Shape sample_shape;                    ///< [H,W,C] or [C]
  std::vector<std::string> class_names;  ///< empty if there are no classes
  Tokenizer tokenizer = {};              ///< of the captions; empty if there are none
};
inline DataFacts facts_of(const Dataset& data) {
  return {data.sample_shape(), data.class_names, Tokenizer(data.captions)};
}

}  // namespace reverie::inline REVERIE_PRECISION
