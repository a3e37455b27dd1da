#pragma once
#include "autograd/tape.h"

namespace reverie::inline REVERIE_PRECISION {

/// The floating-point operations of a recorded operation: forward for its result, backward for the gradients needed.
struct Flops {
  double forward = 0, backward = 0;
  double total() const { return forward + backward; }
  Flops& operator+=(const Flops& other) {
    forward += other.forward, backward += other.backward;
    return *this;
  }
};

/// Counts by the operation's formula, whatever its kernel does (Winograd multiplies less, but counts the same). An
/// addition, multiplication, division, comparison or elementary function counts 1, a multiply-add 2. The bias of a
/// matrix product and the softmax of attention are not counted. Throws Error for an operation that the table lacks.
Flops flops(const Record& record);

}  // namespace reverie::inline REVERIE_PRECISION
