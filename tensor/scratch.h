#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Room for what a kernel needs only while it runs. A thread keeps the memory and uses it again at the next call;
/// scopes nest like the calls do, so a kernel may call another that has a Scratch of its own.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /// Room for `count` reals, aligned to a cache line, with any contents; valid as long as this object.
  real* take(Index count);

 private:
  std::size_t block_;
  Index used_;
};

}  // namespace reverie::inline REVERIE_PRECISION
