#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Temporary memory of a kernel. Each thread keeps the memory for its next call. Scopes nest, so a kernel may call
/// another one that has its own Scratch.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /// Returns memory for `count` reals, aligned to a cache line and uninitialised, valid while this object lives.
  real* take(Index count);

 private:
  std::size_t block_;
  Index used_;
};

}  // namespace reverie::inline REVERIE_PRECISION
