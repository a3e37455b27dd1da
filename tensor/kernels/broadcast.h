#pragma once
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

enum class Binary { add, sub, mul, div };

/// out = a (op) b, where a and b broadcast to out's shape.
void broadcast_binary(Binary op, const Tensor& a, const Tensor& b, Tensor& out);

/// out += wide, summed over every axis that out lacks or has with extent 1: the transpose of broadcasting.
void reduce_add(const Tensor& wide, Tensor& out);

/// out = narrow, or out += narrow, broadcast to out's shape.
void broadcast_copy(const Tensor& narrow, Tensor& out);
void broadcast_add(const Tensor& narrow, Tensor& out);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
