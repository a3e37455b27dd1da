#include "nn/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "nn/chunks.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr const char* names[] = {"adamw", "adam", "sgd"};

TensorList zeros_like(const TensorList& list) {
  TensorList out;
  for (const Tensor& t : list) out.push_back(Tensor::zeros(t.shape()));
  return out;
}

}  // namespace

std::span<const char* const> optimizer_names() { return names; }

Optimizer::Optimizer(OptimizerOptions options, const ParameterStore& parameters)
    : options_(std::move(options)), parameters_(parameters.values()) {
  if (std::find(std::begin(names), std::end(names), options_.name) == std::end(names)) {
    throw UsageError("unknown optimizer \"", options_.name, "\"; expects adamw, adam or sgd");
  }
  if (options_.name != "sgd" || options_.momentum != 0) m_ = zeros_like(parameters_);
  if (options_.name != "sgd") v_ = zeros_like(parameters_);
}

void Optimizer::step(const TensorList& gradients, double learning_rate, double gradient_scale,
                     std::span<Ema> averages) {
  ++updates;
  const bool decoupled = options_.name == "adamw", adaptive = options_.name != "sgd";
  const real lr = learning_rate, scale = gradient_scale;
  const real decay = decoupled ? 1 - learning_rate * options_.weight_decay : 1;
  const real l2 = decoupled ? 0 : options_.weight_decay;
  const double k = updates;
  const real beta1 = options_.beta1, one_minus_beta1 = 1 - options_.beta1;
  const real beta2 = options_.beta2, one_minus_beta2 = 1 - options_.beta2;
  // [Kingma15] alg. 1: m_hat = m / (1 - beta1^k), v_hat = v / (1 - beta2^k)
  const real m_scale = 1 / (1 - std::pow(options_.beta1, k));
  const real v_scale = 1 / (1 - std::pow(options_.beta2, k));
  const real eps = options_.eps, momentum = options_.momentum;
  const real gain = updates == 1 ? 1 : 0;  // sgd: the first update sets m = g
  for_each_chunk(parameters_, [&](const Chunk& chunk) {
    const Index begin = chunk.begin, end = chunk.end;
    real* p = parameters_[chunk.tensor].data();
    const real* g = gradients[chunk.tensor].data();
    real* m = m_.empty() ? nullptr : m_[chunk.tensor].data();
    real* v = v_.empty() ? nullptr : v_[chunk.tensor].data();
    if (adaptive) {
#pragma omp simd
      for (Index j = begin; j < end; ++j) {
        const real grad = scale * g[j] + l2 * p[j];
        m[j] = beta1 * m[j] + one_minus_beta1 * grad;
        v[j] = beta2 * v[j] + one_minus_beta2 * grad * grad;
        p[j] = decay * p[j] - lr * (m_scale * m[j]) / (std::sqrt(v_scale * v[j]) + eps);
      }
    } else if (m != nullptr) {
#pragma omp simd
      for (Index j = begin; j < end; ++j) {
        const real grad = scale * g[j] + l2 * p[j];
        m[j] = (gain != 0 ? 0 : momentum * m[j]) + grad;
        p[j] -= lr * m[j];
      }
    } else {
#pragma omp simd
      for (Index j = begin; j < end; ++j) p[j] -= lr * (scale * g[j] + l2 * p[j]);
    }
    for (Ema& average : averages) average.update(p, chunk, updates);
  });
}

double global_norm(const TensorList& gradients) {
  std::vector<double> squares(chunks_of(gradients).size());
  for_each_chunk(gradients, [&](const Chunk& chunk) {
    squares[chunk.number] = square_sum(gradients[chunk.tensor].data(), chunk);
  });
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

double clip_factor(double norm, double limit) { return limit > 0 ? std::min(1.0, limit / (norm + 1e-6)) : 1.0; }

double Ema::effective(double rate, bool warmup, Index update) {
  const double s = update;
  return warmup ? std::min(rate, (1 + s) / (10 + s)) : rate;
}

void Ema::update(const real* parameter, const Chunk& chunk, Index update) {
  const double rate = effective(rate_, warmup_, update);
  const real r = rate, one_minus_r = 1 - rate;  // 1 - r in float would lose digits
  real* e = average_[chunk.tensor].data();
#pragma omp simd
  for (Index j = chunk.begin; j < chunk.end; ++j) e[j] = r * e[j] + one_minus_r * parameter[j];
}

void Ema::update(const ParameterStore& parameters, Index update) {
  const TensorList values = parameters.values();
  for_each_chunk(values, [&](const Chunk& chunk) { this->update(values[chunk.tensor].data(), chunk, update); });
}

// The product of the first k rates of the warm-up, 2/11 3/12 ... (1 + k)/(10 + k), is 10! / ((k + 2) ... (k + 10)); the
// others are `rate`.
double Ema::share_of_start(double rate, bool warmup, Index updates) {
  const double crossing = std::floor((10 * rate - 1) / (1 - rate));  // where (1 + k) / (10 + k) reaches the rate
  const double all = static_cast<double>(updates), k = warmup ? std::clamp(crossing, 0.0, all) : 0;
  double share = std::pow(rate, all - k);
  for (int j = 2; j <= 10; ++j) share *= j / (k + j);
  return share;
}

double LearningRate::operator()(Index step) const {
  if (decay != "constant" && decay != "cosine") {
    throw UsageError("unknown learning-rate decay \"", decay, "\"; expects constant or cosine");
  }
  if (step < warmup_steps) return base * (step + 1) / warmup_steps;
  if (decay == "constant" || total_steps <= warmup_steps) return base;
  const Index last = total_steps - 1;
  const double done = step < last ? double(step - warmup_steps) / (last - warmup_steps) : 1;
  const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * done));
  return base * (final_fraction + (1 - final_fraction) * cosine);
}

}  // namespace reverie::inline REVERIE_PRECISION
