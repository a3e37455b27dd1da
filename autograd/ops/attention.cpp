#include "tensor/kernels/attention.h"

#include <array>

#include "autograd/op_case.h"

// For each head, with w = C / heads channels, T queries q and S keys k and values v:
//     s = q k^T / sqrt(w),  p = softmax(s) along the keys,  y = p v.
// [Vaswani17] eq. 1
//
// Backward: softmax gives ds_ij = p_ij (dp_ij - sum over j of p_ij dp_ij), and this sum is dy_i y_i, so
//     dv = p^T dy,  dp = dy v^T,  ds = p (dp - sum over channels of dy y),  dq = ds k / sqrt(w),  dk = ds^T q /
//     sqrt(w).
// [Dao22] alg. 4
//
// Saved are q, k, v, y and one number per query, log_sum = log sum over j of e^(s_ij). The backward pass recomputes
// p = e^(s - log_sum) block by block, so the T x S matrix is never in memory.
namespace reverie::inline REVERIE_PRECISION {
namespace {

using kernels::HeadView;

void require_heads(const char* op, Index channels, Index heads) {
  if (heads < 1 || channels < 1 || channels % heads != 0) {
    throw ShapeError(op, ": ", channels, " channels do not divide into ", heads, " heads");
  }
}

// The heads of [N,T,C]: C / heads consecutive channels each.
HeadView<const real> heads_of(const Tensor& x, Index heads) {
  return {x.data(), x.extent(1), x.extent(2), x.extent(2) / heads};
}
HeadView<real> heads_of(Tensor& x, Index heads) { return {x.data(), x.extent(1), x.extent(2), x.extent(2) / heads}; }
HeadView<real> heads_of(Tensor* x, Index heads) { return x == nullptr ? HeadView<real>{} : heads_of(*x, heads); }

// The heads of q (part 0), k (1) or v (2) in a joint projection [N,T,3C].
template <class T>
HeadView<T> part_of(T* data, const Shape& shape, Index heads, QkvOrder order, Index part) {
  const Index channels = shape[2] / 3, width = channels / heads;
  const bool by_head = order == QkvOrder::head_by_head;
  return {data + part * (by_head ? width : channels), shape[1], shape[2], by_head ? 3 * width : width};
}

}  // namespace

Var attention(const Var& q, const Var& k, const Var& v, Index heads) {
  if (q.rank() != 3 || k.rank() != 3 || k.extent(1) < 1 || k.shape() != q.shape().with(1, k.extent(1)) ||
      v.shape() != k.shape()) {
    throw ShapeError("attention: expects q [N,T,C], k and v [N,S,C], got ", q.shape(), ", ", k.shape(), " and ",
                     v.shape());
  }
  const Index channels = q.extent(2);
  require_heads("attention", channels, heads);
  Tensor y = Tensor::uninitialized(q.shape());
  Tensor log_sum = Tensor::uninitialized({q.extent(0), heads, q.extent(1)});
  kernels::attention_forward(channels / heads, heads_of(q.value(), heads), heads_of(k.value(), heads),
                             heads_of(v.value(), heads), log_sum, heads_of(y, heads));
  return record("attention", y, {q, k, v},
                [q = q.value(), k = k.value(), v = v.value(), y, log_sum, heads](Gradients& g) {
                  kernels::attention_backward(q.extent(2) / heads, heads_of(q, heads), heads_of(k, heads),
                                              heads_of(v, heads), heads_of(y, heads), log_sum,
                                              heads_of(g.output(), heads), true, heads_of(g.gradient(0), heads),
                                              heads_of(g.gradient(1), heads), heads_of(g.gradient(2), heads));
                });
}

Var attention_qkv(const Var& qkv, Index heads, QkvOrder order) {
  if (qkv.rank() != 3 || qkv.extent(1) < 1 || qkv.extent(2) % 3 != 0) {
    throw ShapeError("attention_qkv: expects [N,T,3C], got ", qkv.shape());
  }
  const Index channels = qkv.extent(2) / 3;
  require_heads("attention_qkv", channels, heads);
  const Index width = channels / heads;
  Tensor y = Tensor::uninitialized(qkv.shape().with(2, channels));
  Tensor log_sum = Tensor::uninitialized({qkv.extent(0), heads, qkv.extent(1)});
  const auto parts = [heads, order](auto* data, const Shape& shape) {
    return std::array{part_of(data, shape, heads, order, 0), part_of(data, shape, heads, order, 1),
                      part_of(data, shape, heads, order, 2)};
  };
  const auto [q, k, v] = parts(qkv.value().data(), qkv.shape());
  kernels::attention_forward(width, q, k, v, log_sum, heads_of(y, heads));
  return record("attention_qkv", y, {qkv}, [qkv = qkv.value(), y, log_sum, heads, width, parts](Gradients& g) {
    g.compute(0, [&](Tensor& gradient, bool accumulate) {
      const auto [q, k, v] = parts(qkv.data(), qkv.shape());
      const auto [dq, dk, dv] = parts(gradient.data(), qkv.shape());
      kernels::attention_backward(width, q, k, v, heads_of(y, heads), log_sum, heads_of(g.output(), heads), accumulate,
                                  dq, dk, dv);
    });
  });
}

OpCases attention_cases() {
  const auto separate = [](const char* label, const Shape& q, const Shape& k, Index heads) {
    return OpCase{"attention", label, {{q}, {k}, {k}}, [heads](std::span<const Var> in) {
                    return attention(in[0], in[1], in[2], heads);
                  }};
  };
  const auto joint = [](const char* label, const Shape& qkv, Index heads, QkvOrder order) {
    return OpCase{
        "attention_qkv", label, {{qkv}}, [=](std::span<const Var> in) { return attention_qkv(in[0], heads, order); }};
  };
  return {separate("one head", {2, 5, 6}, {2, 5, 6}, 1),
          separate("three heads", {2, 5, 6}, {2, 5, 6}, 3),
          separate("a head for each channel", {1, 3, 4}, {1, 3, 4}, 4),
          separate("fewer keys than queries", {2, 5, 6}, {2, 3, 6}, 2),
          separate("more keys than queries", {2, 2, 6}, {2, 7, 6}, 2),
          {"attention",
           "to itself",
           {{{2, 5, 6}}},
           [](std::span<const Var> in) { return attention(in[0], in[0], in[0], 2); }},
          joint("head by head", {2, 5, 18}, 3, QkvOrder::head_by_head),
          joint("q, then k, then v", {2, 5, 18}, 3, QkvOrder::q_then_k_then_v),
          joint("one head", {1, 4, 15}, 1, QkvOrder::head_by_head),
          {"attention_qkv", "of one tensor twice", {{{2, 3, 18}}}, [](std::span<const Var> in) {
             return attention_qkv(in[0], 3, QkvOrder::head_by_head) +
                    attention_qkv(in[0], 3, QkvOrder::q_then_k_then_v);
           }}};
}

}  // namespace reverie::inline REVERIE_PRECISION
