#include "diffusion/networks/network.h"

namespace reverie::inline REVERIE_PRECISION {

Var TimeEmbedding::operator()(std::span<const double> t, std::span<const Index> labels, const Var& on) const {
  const Tensor sinusoids = timestep_embedding(t, sinusoids_);
  const Var embedding = second_(silu(first_(on.tape() ? on.tape()->constant(sinusoids) : Var(sinusoids))));
  if (!labels_) {
    if (!labels.empty()) throw Error("network: class labels given to a network without classes");
    return embedding;
  }
  if (labels.size() != t.size()) {
    throw Error("network: ", t.size(), " samples, but ", labels.size(), " class labels; the network has ", classes_,
                " classes");
  }
  return embedding + (*labels_)(labels, on);
}

}  // namespace reverie::inline REVERIE_PRECISION
