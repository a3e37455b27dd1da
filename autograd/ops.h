#pragma once
#include <span>
#include <vector>

#include "autograd/tape.h"
#include "tensor/random.h"

/// All differentiable operations. Each is defined in autograd/ops/: forward, backward, formula and check cases in one
/// place. Images are N,H,W,C, token sequences N,T,C. A shape that does not fit throws ShapeError.
namespace reverie::inline REVERIE_PRECISION {

// ---- arithmetic.cpp: elementwise, with numpy's broadcasting
Var operator+(const Var& a, const Var& b);
Var operator+(const Var& a, Var&& b);  ///< reuses b's memory if nothing else holds it
Var operator-(const Var& a, const Var& b);
Var operator*(const Var& a, const Var& b);
Var operator/(const Var& a, const Var& b);
Var operator+(const Var& a, double b);
Var operator-(const Var& a, double b);
Var operator*(const Var& a, double b);
Var operator/(const Var& a, double b);
Var operator+(double a, const Var& b);
Var operator-(double a, const Var& b);
Var operator*(double a, const Var& b);
Var operator-(const Var& a);

// ---- activation.cpp: elementwise functions
Var exp(const Var& x);
Var log(const Var& x);
Var sqrt(const Var& x);
Var square(const Var& x);
Var tanh(const Var& x);
Var sigmoid(const Var& x);
Var silu(const Var& x);
Var gelu(const Var& x);       ///< x Phi(x), with the exact normal CDF Phi
Var gelu_tanh(const Var& x);  ///< its tanh approximation
Var relu(const Var& x);
Var softplus(const Var& x);
Var normal_cdf(const Var& x);                      ///< Phi(x), exact (by erfc)
Var clamp(const Var& x, double low, double high);  ///< the gradient passes where low <= x <= high

// ---- matmul.cpp
Var matmul(const Var& a, const Var& b);          ///< [m,k] [k,n] -> [m,n]
Var batched_matmul(const Var& a, const Var& b);  ///< [B,m,k] [B,k,n] -> [B,m,n]
/// y = x W^T + b. x: [..., in], weight: [out, in], bias: [out] or none (`Var()`).
Var linear(const Var& x, const Var& weight, const Var& bias = {});

// ---- conv.cpp: cross-correlations, weights in PyTorch's layouts
struct Conv2dOptions {
  Index stride = 1, padding = 0, groups = 1;
};
/// x: [N,H,W,I], weight: [O, I/groups, kH, kW], bias: [O] or none.
Var conv2d(const Var& x, const Var& weight, const Var& bias, const Conv2dOptions& options = {});
struct ConvTranspose2dOptions {
  Index stride = 1, padding = 0, output_padding = 0;
};
/// x: [N,H,W,I], weight: [I,O,kH,kW], bias: [O] or none; H' = (H-1) stride - 2 padding + kH + output_padding.
Var conv_transpose2d(const Var& x, const Var& weight, const Var& bias, const ConvTranspose2dOptions& options = {});

// ---- resample.cpp: [N,H,W,C]
Var upsample_nearest(const Var& x, Index scale);
/// Averages without padding; pixels that do not fill a window are left out.
Var avg_pool2d(const Var& x, Index kernel, Index stride);

// ---- norm.cpp
/// Normalises each of `groups` groups of channels over all positions of a sample. x: [N,...,C], weight, bias: [C].
/// [Wu18]
Var group_norm(const Var& x, const Var& weight, const Var& bias, Index groups, double eps = 1e-5);
/// silu(group_norm(x) (1 + scale) + shift) in one pass ("AdaGN"). modulation: [N,2C], first scale, then shift; or none.
/// [Dhariwal21] sec. 3.1
Var group_norm_silu(const Var& x, const Var& weight, const Var& bias, Index groups, const Var& modulation = {},
                    double eps = 1e-5);
/// Normalises over the last axis. weight, bias: [C], or none.
/// [Ba16]
Var layer_norm(const Var& x, const Var& weight, const Var& bias, double eps = 1e-5);
/// x / sqrt(mean(x^2) + eps) * weight over the last axis.
/// [Zhang19]
Var rms_norm(const Var& x, const Var& weight, double eps = 1e-6);

// ---- softmax.cpp
Var softmax(const Var& x, int axis = -1);
Var log_softmax(const Var& x, int axis = -1);
/// The mean over rows of -log softmax(logits)[target]. logits: [N,K], targets: N classes, 0 to K-1.
Var cross_entropy(const Var& logits, std::span<const Index> targets);

// ---- attention.cpp
/// Multi-head attention softmax(q k^T / sqrt(C/heads)) v; head h is channels [h C/heads, (h+1) C/heads).
/// q: [N,T,C]; k, v: [N,S,C] (S = T for self-attention).
/// [Vaswani17] eq. 1
Var attention(const Var& q, const Var& k, const Var& v, Index heads);
/// The order of the 3C channels of a joint projection: q, k, v of one head after another (improved-diffusion), or all
/// q, then all k, then all v (guided-diffusion's newer order, and DiT).
enum class QkvOrder { head_by_head, q_then_k_then_v };
/// Self-attention on the joint projection. qkv: [N,T,3C] -> [N,T,C].
Var attention_qkv(const Var& qkv, Index heads, QkvOrder order);

// ---- shape.cpp
Var reshape(const Var& x, std::initializer_list<Index> extents);  ///< one extent may be -1
Var reshape(const Var& x, const Shape& shape);
Var permute(const Var& x, std::initializer_list<int> axes);  ///< axis i of y is axis axes[i] of x
Var concat(std::span<const Var> parts, int axis);
Var concat(std::initializer_list<Var> parts, int axis);
Var slice(const Var& x, int axis, Index first, Index last);

// ---- reduce.cpp
Var sum(const Var& x);   ///< of all elements: a scalar
Var mean(const Var& x);  ///< of all elements: a scalar
Var sum_axes(const Var& x, std::span<const int> axes, bool keepdims = false);
Var mean_axes(const Var& x, std::span<const int> axes, bool keepdims = false);
Var mean_per_sample(const Var& x);    ///< [N,...] -> [N]
Var mse(const Var& a, const Var& b);  ///< the mean of (a - b)^2: a scalar

// ---- lookup.cpp
/// Looks up rows of a table. table: [K,C], indices in [0,K) -> [index_shape..., C].
Var embedding(const Var& table, std::span<const Index> indices, const Shape& index_shape);
Var embedding(const Var& table, std::span<const Index> indices);  ///< [N,C]
/// x * mask / (1 - p); mask: zeros and ones of x's shape.
Var dropout_mask(const Var& x, const Tensor& mask, double p);
/// dropout_mask with a mask drawn from `key`; each element is 0 with probability p.
/// [Srivastava14]
Var dropout(const Var& x, double p, const RandomKey& key);

}  // namespace reverie::inline REVERIE_PRECISION
