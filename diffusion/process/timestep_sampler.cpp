#include "diffusion/process/timestep_sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/finite.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

RandomKey key_of(std::uint64_t seed, Index step) {
  return {.seed = seed, .stream = Stream::timestep, .step = static_cast<std::uint64_t>(step)};
}

class Uniform : public TimestepSampler {
 public:
  Times draw(std::uint64_t seed, Index step, Index count) const override {
    Times times{{}, std::vector<double>(static_cast<std::size_t>(count), 1)};
    for (Index i = 0; i < count; ++i) times.u.push_back(uniform(key_of(seed, step).with_sample(i)));
    return times;
  }
};

// Stratified draws: u_i = (u_0 + i / N) mod 1 with one random u_0 per batch. Each u_i is uniform, and together they
// cover all noise levels, so the loss of a batch varies less.
// [Kingma21] app. I.1
class Stratified : public TimestepSampler {
 public:
  Times draw(std::uint64_t seed, Index step, Index count) const override {
    const double first = uniform(key_of(seed, step));
    Times times{{}, std::vector<double>(static_cast<std::size_t>(count), 1)};
    for (Index i = 0; i < count; ++i) {
      const double u = first + static_cast<double>(i) / static_cast<double>(count);
      times.u.push_back(u < 1 ? u : u - 1);
    }
    return times;
  }
};

}  // namespace

LossSecondMoment::LossSecondMoment(Index T, Index history, double uniform_prob)
    : history_(static_cast<std::size_t>(history)),
      uniform_prob_(uniform_prob),
      histories_(static_cast<std::size_t>(T)) {
  if (history < 1 || history > 1000 || !(uniform_prob >= 0 && uniform_prob <= 1)) {
    throw UsageError("timestep sampler loss_second_moment: history ", history, " and uniform_prob ", uniform_prob,
                     "; the history must be from 1 to 1000, the share from 0 to 1");
  }
}

std::vector<double> LossSecondMoment::probabilities() const {
  const double T = static_cast<double>(histories_.size());
  std::vector<double> p(histories_.size(), 1 / T);
  if (std::any_of(histories_.begin(), histories_.end(), [&](const auto& h) { return h.size() < history_; })) return p;
  const auto root_mean_square = [&](const std::deque<double>& losses) {
    return std::sqrt(std::inner_product(losses.begin(), losses.end(), losses.begin(), 0.0) /
                     static_cast<double>(history_));
  };
  std::transform(histories_.begin(), histories_.end(), p.begin(), root_mean_square);
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& value : p) value = (1 - uniform_prob_) * (sum > 0 ? value / sum : 1 / T) + uniform_prob_ / T;
  return p;
}

// Inverse transform sampling: a uniform number selects the time step whose interval it falls in, and the position in
// that interval. The weight is 1 / (T p_t).
Times LossSecondMoment::draw(std::uint64_t seed, Index step, Index count) const {
  const std::vector<double> p = probabilities();
  std::vector<double> ends(p.size());
  std::partial_sum(p.begin(), p.end(), ends.begin());
  const double T = static_cast<double>(p.size());
  Times times;
  for (Index i = 0; i < count; ++i) {
    const double share = uniform(key_of(seed, step).with_sample(i)) * ends.back();
    const auto t = std::min(static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), share) - ends.begin()),
                            p.size() - 1);
    const double place = std::clamp((share - (ends[t] - p[t])) / p[t], 1e-6, 1 - 1e-6);
    times.u.push_back((static_cast<double>(t) + place) / T);
    times.weights.push_back(1 / (T * p[t]));
  }
  return times;
}

void LossSecondMoment::observe(std::span<const double> u, std::span<const double> losses) {
  for (std::size_t i = 0; i < u.size(); ++i) {
    auto& history = histories_[std::min(static_cast<std::size_t>(u[i] * static_cast<double>(histories_.size())),
                                        histories_.size() - 1)];
    if (history.size() == history_) history.pop_front();
    history.push_back(losses[i]);
  }
}

// Losses are `real` numbers, so the file holds them exactly. Empty history entries are -1.
std::map<std::string, Tensor> LossSecondMoment::state() const {
  const auto T = static_cast<Index>(histories_.size()), K = static_cast<Index>(history_);
  Tensor losses = Tensor::full({T, K}, -1), counts = Tensor::uninitialized({T});
  for (Index t = 0; t < T; ++t) {
    const auto& history = histories_[t];
    counts[t] = static_cast<real>(history.size());
    for (std::size_t k = 0; k < history.size(); ++k)
      losses[t * K + static_cast<Index>(k)] = static_cast<real>(history[k]);
  }
  return {{"losses", losses}, {"counts", counts}};
}

void LossSecondMoment::restore(const std::map<std::string, Tensor>& state, const std::string& origin) {
  const auto T = static_cast<Index>(histories_.size()), K = static_cast<Index>(history_);
  if (!state.contains("losses") || state.at("losses").shape() != Shape{T, K} || !state.contains("counts") ||
      state.at("counts").shape() != Shape{T}) {
    throw Error(origin, ": `timestep_sampler` lacks the losses [", T, ",", K, "] and counts [", T,
                "] that loss_second_moment keeps");
  }
  const Tensor losses = state.at("losses"), counts = state.at("counts");
  require_finite(origin + ": `timestep_sampler/losses`", losses);
  require_finite(origin + ": `timestep_sampler/counts`", counts);
  for (Index t = 0; t < T; ++t) {
    auto& history = histories_[t];
    history.clear();
    for (Index k = 0; k < std::min(K, static_cast<Index>(counts[t])); ++k)
      history.push_back(static_cast<double>(losses[t * K + k]));
  }
}

std::span<const TimestepSamplerKind> timestep_samplers() {
  static const std::vector<TimestepSamplerKind> table = {
      {"uniform",
       "each sample's time for itself [Ho20]",
       {},
       [](Index, const OptionValues&) -> std::unique_ptr<TimestepSampler> { return std::make_unique<Uniform>(); }},
      {"stratified",
       "the times of a batch spread evenly, from one draw (antithetic) [Kingma21]",
       {},
       [](Index, const OptionValues&) -> std::unique_ptr<TimestepSampler> { return std::make_unique<Stratified>(); }},
      {"loss_second_moment",
       "steps with large losses more often, with importance weights [Nichol21]",
       {{"history", 10, "losses kept for each step; uniform until all are there"},
        {"uniform_prob", 0.001, "share of draws that ignore them"}},
       [](Index T, const OptionValues& values) -> std::unique_ptr<TimestepSampler> {
         const double history = std::clamp(values.at("history"), -1.0, 1e6);  // an Index holds these
         if (history != std::round(history)) {
           throw UsageError("timestep sampler loss_second_moment: history ", history, " is not a whole number");
         }
         return std::make_unique<LossSecondMoment>(T, static_cast<Index>(history), values.at("uniform_prob"));
       }},
  };
  return table;
}

std::unique_ptr<TimestepSampler> make_timestep_sampler(const std::string& name, Index T, const OptionValues& given) {
  const TimestepSamplerKind& kind = find_line("timestep sampler", timestep_samplers(), name);
  return kind.make(T, complete("timestep sampler " + name, kind.options, given));
}

}  // namespace reverie::inline REVERIE_PRECISION
