#pragma once
#include "autograd/tape.h"

namespace reverie::inline REVERIE_PRECISION {

/// Floating-point operations of a recorded operation: of computing its result, and the gradients that are wanted.
struct Flops {
  double forward = 0, backward = 0;
  double total() const { return forward + backward; }
  Flops& operator+=(const Flops& other) {
    forward += other.forward, backward += other.backward;
    return *this;
  }
};

/// By the operation's formula, whatever its kernel does to get there (Winograd's, which multiplies less, counts the
/// same): an addition, multiplication, division, comparison or elementary function is one each, a multiply-add two; a
/// product's bias and attention's softmax are not counted. Throws Error for an operation that the table lacks.
Flops flops(const Record& record);

}  // namespace reverie::inline REVERIE_PRECISION
