#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "tensor/parallel.h"

// What must hold of the norms, softmax, attention, lookups, resampling and shape operations whatever their code.
using namespace reverie;

namespace {

const double tolerance = sizeof(real) == 8 ? 1e-12 : 1e-5;
const real nan_value = std::numeric_limits<real>::quiet_NaN();

Tensor draw(const Shape& shape, std::uint32_t channel = 0) {
  return normal({.seed = 5, .stream = Stream::probe, .channel = channel}, shape);
}

// The largest |a - b|; infinite where the shapes differ or a NaN is met.
double distance(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return std::numeric_limits<double>::infinity();
  double worst = 0;
  for (Index i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(d <= worst)) worst = std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
  }
  return worst;
}
double distance(const Var& a, const Var& b) { return distance(a.value(), b.value()); }

bool same_bits(const Tensor& a, const Tensor& b) { return distance(a, b) == 0; }

Tensor mapped(const Tensor& x, double (*f)(double)) {
  Tensor y = x.clone();
  for (real& value : y.values()) value = static_cast<real>(f(static_cast<double>(value)));
  return y;
}

// The gradients of sum(dy * f(inputs)), one for each input.
template <class F>
std::vector<Tensor> gradients(F f, const std::vector<Tensor>& inputs, const Tensor& dy) {
  Tape tape;
  std::vector<Var> on_tape;
  for (const Tensor& input : inputs) on_tape.push_back(tape.variable(input));
  tape.backward(f(on_tape), dy, {});
  std::vector<Tensor> result;
  for (const Var& input : on_tape) result.push_back(tape.gradient(input));
  return result;
}

template <class F>
std::string message(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("softmax: rows are positive and sum to one; a shift of a row changes nothing; log_softmax is its logarithm") {
  const Tensor x = draw({4, 6, 5});
  for (const int axis : {0, 1, 2, -1, -3}) {
    const Var y = softmax(x, axis);
    const std::array axes{axis};
    CHECK(distance(sum_axes(y, axes, true), Tensor::full(x.shape().with(axis, 1), 1)) < tolerance);
    CHECK(distance(softmax(Var(x) + 3.0, axis), y) < tolerance);
    CHECK(distance(exp(log_softmax(x, axis)), y) < tolerance);
    for (const real p : y.value().values()) CHECK(p > 0);
  }
}

TEST_CASE("softmax does not overflow, and gives the greatest of far-apart numbers all the weight") {
  const Tensor x = Tensor::from({1, 3}, {1e4, -1e4, 0});
  CHECK(distance(softmax(x), Tensor::from({1, 3}, {1, 0, 0})) == 0);
  CHECK(distance(log_softmax(x), Tensor::from({1, 3}, {0, -2e4, -1e4})) == 0);
}

TEST_CASE("cross-entropy: of equal logits it is log K; its gradient is (softmax - one-hot) / N") {
  const std::array<Index, 3> targets{2, 0, 6};
  CHECK(static_cast<double>(cross_entropy(Tensor::full({3, 7}, 4), targets).item()) == doctest::Approx(std::log(7.0)));
  const Tensor logits = draw({3, 7});
  const auto gradient =
      gradients([&](const auto& in) { return cross_entropy(in[0], targets); }, {logits}, Tensor::scalar(1));
  Tensor one_hot = Tensor::zeros({3, 7});
  for (Index n = 0; n < 3; ++n) one_hot[n * 7 + targets[n]] = 1;
  CHECK(distance((softmax(logits) - one_hot) / 3.0, gradient[0]) < tolerance);
}

TEST_CASE("attention by hand: softmax(q k^T / sqrt(d)) v of each head, and the same gradients [Vaswani17] eq. 1") {
  struct Size {
    Index queries, keys, heads, width;
  };
  // The last are more than any kernel's blocks of queries, keys and channels, and no multiple of them.
  for (const Size& size : {Size{4, 5, 2, 3}, {1, 1, 1, 1}, {37, 11, 3, 16}, {70, 300, 2, 35}}) {
    const auto [queries, keys, heads, width] = size;
    CAPTURE(size.queries);
    const Shape qs{2, queries, heads * width}, ks{2, keys, heads * width};
    const Tensor q = draw(qs, 1), k = draw(ks, 2), v = draw(ks, 3), dy = draw(qs, 4);
    const auto fused = [&](const auto& in) { return attention(in[0], in[1], in[2], size.heads); };
    const auto by_hand = [&](const auto& in) {
      std::vector<Var> parts;
      for (Index h = 0; h < size.heads; ++h) {
        const auto head = [&](const Var& x) { return slice(x, 2, h * size.width, (h + 1) * size.width); };
        const Var scores =
            batched_matmul(head(in[0]), permute(head(in[1]), {0, 2, 1})) / std::sqrt(static_cast<double>(size.width));
        parts.push_back(batched_matmul(softmax(scores), head(in[2])));
      }
      return concat(std::span<const Var>(parts), 2);
    };
    CHECK(distance(fused(std::vector<Var>{q, k, v}), by_hand(std::vector<Var>{q, k, v})) < tolerance);
    const auto a = gradients(fused, {q, k, v}, dy), b = gradients(by_hand, {q, k, v}, dy);
    for (std::size_t i = 0; i < 3; ++i) CHECK(distance(a[i], b[i]) < tolerance);
  }
}

TEST_CASE(
    "attention to one key is its value, to equal keys the mean of the values, and the order of keys does not matter") {
  const Tensor q = draw({2, 4, 6}, 1), k = draw({2, 3, 6}, 2), v = draw({2, 3, 6}, 3);
  const Var one = slice(v, 1, 1, 2);
  CHECK(distance(attention(q, slice(k, 1, 0, 1), one, 3), concat({one, one, one, one}, 1)) < tolerance);
  const std::array positions{1};
  const Var average = mean_axes(v, positions, true);
  CHECK(distance(attention(q, Tensor::full({2, 3, 6}, 1), v, 2), concat({average, average, average, average}, 1)) <
        tolerance);
  const auto turned = [](const Var& x) { return concat({slice(x, 1, 1, 3), slice(x, 1, 0, 1)}, 1); };
  CHECK(distance(attention(q, turned(k), turned(v), 2), attention(q, k, v, 2)) < tolerance);
}

TEST_CASE("attention_qkv is attention on the three parts of the projection, in either order of its channels") {
  const Index heads = 2, width = 3, channels = heads * width;
  const Tensor qkv = draw({2, 5, 3 * channels}), dy = draw({2, 5, channels}, 1);
  const auto part = [](const Var& x, Index first, Index count) { return slice(x, 2, first, first + count); };
  const auto newer = [&](const auto& in) {
    return attention(part(in[0], 0, channels), part(in[0], channels, channels), part(in[0], 2 * channels, channels),
                     heads);
  };
  const auto legacy = [&](const auto& in) {
    const auto gathered = [&](Index which) {
      return concat({part(in[0], which * width, width), part(in[0], (3 + which) * width, width)}, 2);
    };
    return attention(gathered(0), gathered(1), gathered(2), heads);
  };
  const auto check = [&](const auto& by_parts, QkvOrder order) {
    const auto joint = [&](const auto& in) { return attention_qkv(in[0], heads, order); };
    CHECK(distance(joint(std::vector<Var>{qkv}), by_parts(std::vector<Var>{qkv})) < tolerance);
    CHECK(distance(gradients(joint, {qkv}, dy)[0], gradients(by_parts, {qkv}, dy)[0]) < tolerance);
  };
  check(newer, QkvOrder::q_then_k_then_v);
  check(legacy, QkvOrder::head_by_head);
}

TEST_CASE("group norm without weights: every group has mean 0 and variance 1 - eps / (variance + eps)") {
  const Tensor x = draw({2, 31, 33, 6});  // more positions than one task takes
  for (const Index groups : {1, 2, 6}) {
    const Var y = reshape(group_norm(x, {}, {}, groups, 1e-12), {2, 31 * 33, groups, -1});
    const std::array axes{1, 3};
    CHECK(distance(mean_axes(y, axes), Tensor::zeros({2, groups})) < tolerance);
    CHECK(distance(mean_axes(square(y), axes), Tensor::full({2, groups}, 1)) < 2 * tolerance);
  }
}

TEST_CASE("group norm keeps its precision far from zero: an offset of 1000 standard deviations changes nothing") {
  Tensor x = mapped(draw({2, 20, 20, 4}), [](double value) { return std::round(value * 256) / 256; });
  Tensor far = mapped(x, [](double value) { return value + 1000; });  // exact, also in float
  for (const Index groups : {1, 2, 4}) {
    CHECK(distance(group_norm(x, {}, {}, groups), group_norm(far, {}, {}, groups)) < 20 * tolerance);
  }
}

TEST_CASE("group norm's weight scales and its bias shifts each channel; a scale of the input changes nothing") {
  const Tensor x = draw({3, 4, 5, 6}), weight = draw({6}, 1), bias = draw({6}, 2);
  const Var plain = group_norm(x, {}, {}, 3);
  CHECK(distance(group_norm(x, weight, bias, 3), plain * weight + bias) < tolerance);
  CHECK(distance(group_norm(Var(x) * 7.0, {}, {}, 3, 0), group_norm(x, {}, {}, 3, 0)) < tolerance);
}

TEST_CASE("layer norm is group norm with one group and no positions; RMS norm is layer norm of what has mean 0") {
  const Tensor x = draw({4, 3, 10}), weight = draw({10}, 1), bias = draw({10}, 2), dy = draw({12, 10}, 3);
  const auto layer = [](const auto& in) { return reshape(layer_norm(in[0], in[1], in[2]), {12, 10}); };
  const auto group = [](const auto& in) { return group_norm(reshape(in[0], {12, 10}), in[1], in[2], 1); };
  CHECK(distance(layer(std::vector<Var>{x, weight, bias}), group(std::vector<Var>{x, weight, bias})) < tolerance);
  const auto a = gradients(layer, {x, weight, bias}, dy), b = gradients(group, {x, weight, bias}, dy);
  for (std::size_t i = 0; i < 3; ++i) CHECK(distance(a[i], b[i]) < tolerance);
  const std::array last{2};
  const Var centred = Var(x) - mean_axes(x, last, true);
  CHECK(distance(rms_norm(centred, weight, 1e-5), layer_norm(x, weight, {})) < tolerance);
}

TEST_CASE("a norm's gradient is at right angles to constants and (eps = 0) to its input: neither changes the result") {
  const Tensor x = draw({2, 6, 7, 4}), dy = draw({2, 6, 7, 4}, 1);
  const Var dx = gradients([](const auto& in) { return group_norm(in[0], {}, {}, 1, 0); }, {x}, dy)[0];
  CHECK(distance(mean_per_sample(dx), Tensor::zeros({2})) < tolerance);
  CHECK(distance(mean_per_sample(dx * x), Tensor::zeros({2})) < tolerance);
}

TEST_CASE("upsampling repeats; pooling it by the same factor gives the image back; pooling by 1 changes nothing") {
  const Tensor x = draw({2, 3, 5, 4});
  const Var wide = upsample_nearest(x, 3);
  CHECK(wide.shape() == Shape{2, 9, 15, 4});
  CHECK(distance(slice(slice(wide, 1, 2, 3), 2, 14, 15), slice(slice(x, 1, 0, 1), 2, 4, 5)) == 0);
  CHECK(distance(avg_pool2d(wide, 3, 3), x) < tolerance);
  CHECK(distance(avg_pool2d(x, 1, 1), x) == 0);
}

TEST_CASE("average pooling leaves out what does not fill a window") {
  const Tensor x = draw({1, 5, 7, 2});
  CHECK(distance(avg_pool2d(x, 2, 2), avg_pool2d(slice(slice(x, 1, 0, 4), 2, 0, 6), 2, 2)) == 0);
}

TEST_CASE("concat and slice are each other's inverse along every axis; so are permute and the inverse permutation") {
  const Tensor x = draw({4, 5, 6, 3});
  for (const int axis : {0, 1, 2, 3, -1}) {
    const Index cut = x.extent(axis) / 2;
    CHECK(same_bits(concat({slice(x, axis, 0, cut), slice(x, axis, cut, x.extent(axis))}, axis).value(), x));
  }
  const Var turned = permute(x, {3, 0, 2, 1});
  CHECK(turned.shape() == Shape{3, 4, 6, 5});
  CHECK(turned.value()[((1 * 4 + 2) * 6 + 3) * 5 + 4] == x[((2 * 5 + 4) * 6 + 3) * 3 + 1]);
  CHECK(same_bits(permute(turned, {1, 3, 2, 0}).value(), x));
}

TEST_CASE("a reshape shares its data, and its gradient goes back in the old shape") {
  const Tensor x = draw({2, 6}), dy = draw({3, 4}, 1);
  CHECK(reshape(x, {3, -1}).value().data() == x.data());
  CHECK(same_bits(gradients([](const auto& in) { return reshape(in[0], {3, 4}); }, {x}, dy)[0], dy.reshape({2, 6})));
}

TEST_CASE("an embedding is the product of one-hot rows and the table, and so is its gradient") {
  const Tensor table = draw({4, 3}), dy = draw({5, 3}, 1);
  const std::array<Index, 5> indices{3, 1, 3, 0, 3};
  Tensor one_hot = Tensor::zeros({5, 4});
  for (Index n = 0; n < 5; ++n) one_hot[n * 4 + indices[n]] = 1;
  CHECK(same_bits(embedding(table, indices).value(), matmul(one_hot, table).value()));
  CHECK(embedding(table, std::span(indices).first(4), {2, 2}).shape() == Shape{2, 2, 3});
  const auto gradient = gradients([&](const auto& in) { return embedding(in[0], indices); }, {table}, dy);
  CHECK(distance(matmul(permute(one_hot, {1, 0}), dy), gradient[0]) < tolerance);
}

TEST_CASE("dropout keeps 1 - p of the elements, scaled to keep the mean; a row depends on its sample alone") {
  const RandomKey key{.seed = 3, .stream = Stream::dropout, .step = 9, .sample = 40};
  const Tensor ones = Tensor::full({50, 400}, 1);
  const Var y = dropout(ones, 0.3, key);
  double kept = 0;
  for (const real value : y.value().values()) {
    CHECK((value == 0 || std::abs(static_cast<double>(value) - 1 / 0.7) < tolerance));
    kept += value != 0;
  }
  CHECK(std::abs(kept / 20000 - 0.7) < 4 * std::sqrt(0.3 * 0.7 / 20000));  // four standard deviations
  CHECK(same_bits(dropout(ones.rows(20, 30), 0.3, key.with_sample(60)).value(), y.value().rows(20, 30)));
  CHECK(same_bits(dropout(ones, 0, key).value(), ones));
}

TEST_CASE("a NaN in its input is a NaN in every output that depends on it, and in no other sample") {
  Tensor x = draw({2, 4, 6});
  x[0] = nan_value;
  const auto nans = [](const Var& y, Index sample) {  // how many of a sample's outputs
    const Tensor row = y.value().rows(sample, sample + 1);
    Index count = 0;
    for (const real value : row.values()) count += std::isnan(value);
    return count;
  };
  const auto check = [&](const Var& y, Index wanted) {
    CHECK(nans(y, 0) == wanted);
    CHECK(nans(y, 1) == 0);
  };
  check(group_norm(x, {}, {}, 1), 24);
  check(group_norm(x, {}, {}, 6), 4);
  check(layer_norm(x, {}, {}), 6);
  check(rms_norm(x, {}), 6);
  check(softmax(x), 6);
  check(log_softmax(x, 1), 4);
  check(attention(x, x, x, 2), 4 * 3);  // one key is ill: all queries of that head
  check(upsample_nearest(reshape(x, {2, 2, 2, 6}), 2), 4);
  check(avg_pool2d(reshape(x, {2, 2, 2, 6}), 2, 2), 1);
}

TEST_CASE("the bits do not depend on the number of threads") {
  const Tensor x = draw({6, 30, 31, 24}), weight = draw({24}, 1), bias = draw({24}, 2), tokens = draw({6, 64, 72}, 3);
  const auto run = [&](int count) {
    set_threads(count);
    std::vector<Tensor> all;
    const auto norm = [](const auto& in) { return group_norm(in[0], in[1], in[2], 8); };
    const auto layer = [](const auto& in) { return layer_norm(in[0], in[1], in[2]); };
    for (Tensor& g : gradients(norm, {x, weight, bias}, x)) all.push_back(std::move(g));
    for (Tensor& g : gradients(layer, {x, weight, bias}, x)) all.push_back(std::move(g));
    const auto attend = [](const auto& in) { return attention_qkv(in[0], 4, QkvOrder::head_by_head); };
    all.push_back(gradients(attend, {tokens}, draw({6, 64, 24}, 4))[0]);
    all.push_back(gradients([](const auto& in) { return avg_pool2d(in[0], 3, 2); }, {x}, draw({6, 14, 15, 24}, 5))[0]);
    return all;
  };
  const auto one = run(1), three = run(3);
  set_threads(0);
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(same_bits(one[i], three[i]));
}

TEST_CASE("shapes that do not fit are told apart in one line") {
  const Var x(draw({2, 4, 4, 48})), flat(draw({2, 48})), tokens(draw({2, 5, 10}));
  const std::array<Index, 2> targets{0, 48}, indices{1, -1};
  CHECK(message([&] { group_norm(x, {}, {}, 32); }) == "group_norm: 48 channels do not divide into 32 groups");
  CHECK(message([&] { group_norm(x, draw({47}), {}, 8); }) == "group_norm: expects weight [48], got [47]");
  CHECK(message([&] { layer_norm(x, {}, draw({4})); }) == "layer_norm: expects bias [48], got [4]");
  CHECK(message([&] { attention(tokens, tokens, tokens, 3); }) == "attention: 10 channels do not divide into 3 heads");
  CHECK(message([&] { attention_qkv(tokens, 0, QkvOrder::head_by_head); }) ==
        "attention_qkv: expects [N,T,3C], got [2,5,10]");
  CHECK(message([&] { avg_pool2d(x, 5, 1); }) == "avg_pool2d: input [2,4,4,48] is smaller than a window of 5 x 5");
  CHECK(message([&] { upsample_nearest(flat, 2); }) == "upsample_nearest: input is [2,48], wants [N,H,W,C]");
  CHECK(message([&] { concat({flat, tokens}, 0); }) == "concat: [2,5,10] does not fit [2,48] along axis 0");
  CHECK(message([&] { slice(flat, 1, 40, 49); }) == "slice: [2,48] has no positions 40 to 49 along axis 1");
  CHECK(message([&] { permute(flat, {0, 0}); }) == "permute: [2,48] wants each of its 2 axes once");
  CHECK(message([&] { cross_entropy(flat, targets); }) == "cross_entropy: target 48 is not a class, wants 0 to 47");
  CHECK(message([&] { embedding(flat, indices); }) == "embedding: index -1 is not in the table [2,48], wants 0 to 1");
  CHECK(message([&] { dropout(flat, 1, {}); }) == "dropout: the probability is 1, wants 0 <= p < 1");
  CHECK_THROWS_AS(attention(tokens, tokens, slice(tokens, 1, 0, 4), 2), ShapeError);
  CHECK_THROWS_AS(attention_qkv(Var(draw({2, 5, 12})), 0, QkvOrder::head_by_head), ShapeError);
  CHECK_THROWS_AS(group_norm(Var(draw({3})), {}, {}, 1), ShapeError);
  CHECK_THROWS_AS(softmax(flat, 2), ShapeError);
  CHECK_THROWS_AS(reshape(flat, {7, -1}), ShapeError);
  CHECK_THROWS_AS(permute(flat, {0}), ShapeError);
  CHECK_THROWS_AS(permute(flat, {0, 2}), ShapeError);
}
