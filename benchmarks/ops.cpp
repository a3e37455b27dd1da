// Measures the speed of operations on one thread, at shapes that the networks of configs/ have in a shard of 8 images.
//   build/benchmarks/ops [--benchmark_filter=REGEX]
// `GFLOP/s` counts the multiplications and additions of the direct method, so Winograd's may exceed the peak. `of_peak`
// is its share of the core's multiply-adds, measured at the same time (in float; bfloat16 can do twice as many, with
// AMX sixteen times as many). `error` is the root-mean-square difference from the plain kernels, relative to the
// values. Packed weights are cached, as within a training step.
#include "autograd/ops.h"

#include <benchmark/benchmark.h>

#include <array>
#include <cmath>
#include <ctime>

#include "benchmarks/peak.h"
#include "tensor/kernels/choice.h"
#include "tensor/kernels/conv/direct.h"
#include "tensor/kernels/conv/plain.h"
#include "tensor/kernels/conv/thin.h"
#include "tensor/kernels/conv/winograd.h"
#include "tensor/kernels/packing/packed_weights.h"
#include "tensor/parallel.h"

using namespace reverie;

namespace {

Tensor draw(const Shape& shape) { return normal({.seed = 1, .stream = Stream::probe}, shape); }

// Measures the work in processor time, and the peak right before and after it, because the clock rate varies.
void measure(benchmark::State& state, double flops, double bytes, const std::function<void()>& work) {
  work();
  const double before = fma_peak(3);
  const std::clock_t start = std::clock();
  for (auto _ : state) work();
  const double seconds =
      static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / static_cast<double>(state.iterations());
  if (flops > 0) {
    state.counters["GFLOP/s"] = flops / 1e9 / seconds;
    state.counters["of_peak"] = flops / 1e9 / seconds / ((before + fma_peak(3)) / 2);
  }
  state.counters["GB/s"] = bytes / 1e9 / seconds;
}

double bytes_of(std::initializer_list<Shape> shapes) {
  double count = 0;
  for (const Shape& shape : shapes) count += static_cast<double>(shape.size()) * sizeof(real);
  return count;
}

enum class Pass { forward, data, weight };

// One way to compute a convolution and its two gradients.
struct Method {
  const char* name;
  bool (*applies)(const kernels::ConvShape&);
  decltype(&kernels::conv2d_forward) forward;
  decltype(&kernels::conv2d_backward_data) data;
  decltype(&kernels::conv2d_backward_weight) weight;
  kernels::OperandType operands = kernels::OperandType::real;
};
const Method methods[] = {
    {"plain", [](const kernels::ConvShape&) { return true; }, kernels::plain_conv2d_forward,
     kernels::plain_conv2d_backward_data, kernels::plain_conv2d_backward_weight},
    {"direct", kernels::direct_applies, kernels::direct_conv2d_forward, kernels::direct_conv2d_backward_data,
     kernels::direct_conv2d_backward_weight},
    {"winograd", kernels::winograd_applies, kernels::winograd_conv2d_forward, kernels::winograd_conv2d_backward_data,
     kernels::winograd_conv2d_backward_weight},
    {"direct-bfloat16", kernels::direct_applies, kernels::direct_conv2d_forward, kernels::direct_conv2d_backward_data,
     kernels::direct_conv2d_backward_weight, kernels::OperandType::bfloat16},
    {"winograd-bfloat16", kernels::winograd_applies, kernels::winograd_conv2d_forward,
     kernels::winograd_conv2d_backward_data, kernels::winograd_conv2d_backward_weight, kernels::OperandType::bfloat16},
    {"thin", kernels::thin_backward_applies, kernels::thin_conv2d_forward, kernels::thin_conv2d_backward_data,
     kernels::thin_conv2d_backward_weight},
};

double error(const Tensor& got, const Tensor& expected) {
  double difference = 0, size = 0;
  for (Index i = 0; i < got.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(expected[i]), 2);
    size += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / size);
}

void convolution(benchmark::State& state, const Method& method, Pass pass, const kernels::ConvShape& s) {
  const Tensor x = draw(s.x()), weight = draw(s.weight()), dy = draw(s.y());
  const kernels::PackedWeights cache({weight});
  Tensor result = Tensor::zeros(pass == Pass::forward ? s.y() : pass == Pass::data ? s.x() : s.weight());
  const auto run = [&](const Method& by) {
    const kernels::WithKernels scope({.operands = by.operands});
    if (pass == Pass::forward) by.forward(s, x, weight, nullptr, result);
    if (pass == Pass::data) by.data(s, weight, dy, false, result);
    if (pass == Pass::weight) by.weight(s, x, dy, false, result);
  };
  run(methods[0]);
  const Tensor plain = result.clone();
  result.fill(0);
  run(method);
  state.counters["error"] = error(result, plain);
  measure(state, 2.0 * static_cast<double>(s.y().size()) * static_cast<double>(s.patch()),
          bytes_of({s.x(), s.weight(), s.y()}), [&] { run(method); });
}

// Measures an operation on a tape: forward, or forward and backward.
void operation(benchmark::State& state, const std::vector<Shape>& shapes, bool backward, double flops,
               const std::function<Var(std::span<const Var>)>& apply) {
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) inputs.push_back(draw(shape));
  const Tensor dy = draw(apply(std::vector<Var>(inputs.begin(), inputs.end())).shape());
  double bytes = bytes_of({dy.shape()});
  for (const Shape& shape : shapes) bytes += bytes_of({shape});
  measure(state, flops, bytes, [&] {
    Tape tape;
    std::vector<Var> on_tape;
    for (const Tensor& input : inputs) on_tape.push_back(backward ? tape.variable(input) : Var(input));
    const Var y = apply(on_tape);
    if (backward) tape.backward(y, dy, {});
    benchmark::DoNotOptimize(y);
  });
}

void add_convolutions() {
  struct Size {
    Index side, in, out, stride = 1;
  };
  for (const Size& size : {Size{28, 32, 32},
                           {28, 96, 32},
                           {14, 64, 64},
                           {14, 128, 64},
                           {7, 64, 64},
                           {32, 64, 64},
                           {16, 128, 128},
                           {32, 128, 64},
                           {8, 128, 128},
                           {4, 128, 128},
                           {28, 32, 32, 2},
                           {14, 64, 64, 2},
                           {32, 64, 64, 2},
                           {28, 1, 32},
                           {28, 32, 2},
                           {32, 3, 64},
                           {32, 64, 6}}) {
    const kernels::ConvShape s{8, size.side, size.side, size.in, size.out, 3, 3, size.stride, 1, 1};
    for (const Method& method : methods) {
      if (!method.applies(s)) continue;
      for (const auto& [pass, name] :
           {std::pair{Pass::forward, "forward"}, {Pass::data, "data"}, {Pass::weight, "weight"}}) {
        const std::string label = concat("conv3x3/", size.side, "x", size.side, "x", size.in, "->", size.out,
                                         size.stride > 1 ? "/stride2/" : "/", method.name, "/", name);
        benchmark::RegisterBenchmark(label.c_str(), convolution, method, pass, s);
      }
    }
  }
}

void add_operations() {
  using In = std::span<const Var>;
  const auto add = [](const std::string& name, std::vector<Shape> shapes, double flops, std::function<Var(In)> apply) {
    benchmark::RegisterBenchmark((name + "/forward").c_str(), operation, shapes, false, flops, apply);
    benchmark::RegisterBenchmark((name + "/forward+backward").c_str(), operation, shapes, true, 3 * flops, apply);
  };
  const Shape image{8, 28, 28, 32}, tokens{8, 196, 64};
  add("silu/28x28x32", {image}, 0, [](In in) { return silu(in[0]); });
  add("add/28x28x32", {image, image}, 0, [](In in) { return in[0] + in[1]; });
  add("group_norm_silu/28x28x32", {image, {32}, {32}}, 0,
      [](In in) { return group_norm_silu(in[0], in[1], in[2], 32); });
  add("group_norm/28x28x32", {image, {32}, {32}}, 0, [](In in) { return group_norm(in[0], in[1], in[2], 32); });
  add("softmax/6272x196", {{6272, 196}}, 0, [](In in) { return softmax(in[0]); });
  add("attention/196x64x4", {tokens, tokens, tokens}, 4.0 * 8 * 196 * 196 * 64,
      [](In in) { return attention(in[0], in[1], in[2], 4); });
  for (const auto& [rows, in, out] : {std::array<Index, 3>{1568, 64, 192}, {6272, 96, 32}, {2048, 128, 384}}) {
    add(concat("linear/", rows, "x", in, "->", out), {{rows, in}, {out, in}, {out}},
        2 * static_cast<double>(rows * in * out), [](In in) { return linear(in[0], in[1], in[2]); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  set_threads(1);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  std::printf("peak of one core, measured: %.0f GFLOP/s\n", fma_peak());
  add_convolutions();
  add_operations();
  benchmark::RunSpecifiedBenchmarks();
}
