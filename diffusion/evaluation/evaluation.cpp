#include "diffusion/evaluation/evaluation.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numbers>
#include <numeric>

#include "data/subset.h"
#include "diffusion/evaluation/bound.h"
#include "tensor/decimal.h"
#include "tensor/finite.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index evaluation_shard = 8;  // images per task

MeanWithError mean_with_error(std::span<const double> values) {
  const double n = static_cast<double>(values.size());
  MeanWithError mean;
  for (const double value : values) mean.value += value / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean.value) * (value - mean.value);
  if (n > 1) mean.error = std::sqrt(squares / (n - 1) / n);
  return mean;
}

MeanWithError mean_with_error(const Tensor& values) {
  return mean_with_error(std::vector<double>(values.values().begin(), values.values().end()));
}

constexpr double bin = 2.0 / 255;  // width, for 8-bit values in [-1, 1]

// Uniform noise in a value's bin, so that 8-bit values have a density.
Tensor dequantisation(std::uint64_t seed, const Shape& shape, Index first_sample) {
  Tensor noise = Tensor::uninitialized(shape);
  const Index width = shape.size() / shape[0];
  for (Index i = 0; i < noise.size(); ++i) {
    const RandomKey key =
        RandomKey{.seed = seed, .stream = Stream::dequantisation}.with_sample(first_sample + i / width);
    noise[i] = static_cast<real>((uniform(key, i % width) - 0.5) * bin);
  }
  return noise;
}

std::vector<Index> part(const std::vector<Index>& labels, Index first, Index last) {
  return labels.empty() ? labels : std::vector<Index>(labels.begin() + first, labels.begin() + last);
}

// Means over the samples, for each column of [N,T].
std::vector<MeanWithError> column_means(const Tensor& table) {
  const Index N = table.extent(0), T = table.extent(1);
  std::vector<MeanWithError> means;
  std::vector<double> column(static_cast<std::size_t>(N));
  for (Index t = 0; t < T; ++t) {
    for (Index n = 0; n < N; ++n) column[n] = static_cast<double>(table[n * T + t]);
    means.push_back(mean_with_error(column));
  }
  return means;
}

// The mean over the samples of the sum of all columns but the first.
MeanWithError mean_of_rest(const Tensor& table) {
  std::vector<double> sums;
  for (Index n = 0; n < table.extent(0); ++n) {
    const Tensor row = table.rows(n, n + 1);
    sums.push_back(std::accumulate(row.values().begin() + 1, row.values().end(), 0.0));
  }
  return mean_with_error(sums);
}

}  // namespace

namespace {

// Throws UsageError if there is no bound for the model, or no sample.
void require_bound(const DiffusionModel& model, Index count) {
  if (model.facts().sample_shape.rank() != 3) {
    throw UsageError("evaluation: bits per dimension are for images of 8-bit values; this model learned points");
  }
  require_gaussian(model.noise(), "the variational bound");
  if (count < 1) throw UsageError("evaluation: ", count, " samples; at least 1 is required");
}

RandomKey noise_at(std::uint64_t seed, Index t) {
  return {.seed = seed, .stream = Stream::validation, .step = static_cast<std::uint64_t>(t)};
}

}  // namespace

BoundEvaluation evaluate_bound(const DiffusionModel& model, const Dataset& data, Index count, std::uint64_t seed,
                               bool clip, const std::function<bool(double)>& progress) {
  require_bound(model, count);
  const Subset set(data, count);
  const auto labels = require_fits(model, set, set.name.empty() ? "evaluation: the set" : "evaluation: " + set.name);
  const Index each = model.network().labels_per_sample();
  const Index N = set.size(), T = model.process().schedule.steps();
  VariationalBound all;
  for (Tensor* list : {&all.total, &all.prior, &all.exact_decoder}) *list = Tensor::uninitialized({N});
  for (Tensor* table : {&all.vb, &all.mse, &all.x0_mse}) *table = Tensor::uninitialized({N, T});

  const kernels::WithKernels scope(model.kernels());
  const auto packed = model.network().parameters.keep_packed();
  std::mutex mutex;
  Index done = 0;
  bool going = true;  // once `progress` has returned false, all shards stop, and it is not called again
  parallel_for(N, samples_at_once(model.facts().sample_shape, evaluation_shard), [&](Index first, Index last) {
    const Tensor x0 = samples_of(set, first, last);
    const auto noise = [&](Index t) {  // called once per time step
      if (progress) {
        const std::scoped_lock lock(mutex);
        going = going && progress(static_cast<double>(done) / static_cast<double>(N * T));
        if (!going) throw Error("evaluation: interrupted");
        done += last - first;
      }
      return normal_rows(noise_at(seed, t), x0.shape(), first);
    };
    const NetworkFunction network =
        model.formulation().in_chain(model.with_labels(part(labels, first * each, last * each), model.picture_of(x0)));
    const VariationalBound part = variational_bound(model.process(), network, x0, noise, clip);
    all.total.rows(first, last).copy_from(part.total);
    all.prior.rows(first, last).copy_from(part.prior);
    all.exact_decoder.rows(first, last).copy_from(part.exact_decoder);
    all.vb.rows(first, last).copy_from(part.vb);
    all.mse.rows(first, last).copy_from(part.mse);
    all.x0_mse.rows(first, last).copy_from(part.x0_mse);
  });

  for (const auto& [what, values] : {std::pair{"prior", &all.prior}, {"bound", &all.vb}, {"mse", &all.mse}}) {
    const auto bad = static_cast<Index>(first_not_finite(*values));
    if (bad == values->size()) continue;
    const Index each = values->size() / N;
    throw Error("evaluation: the ", what, " of image ", bad / each, " at time step ", each == 1 ? T : bad % each,
                " is ", (*values)[bad], "; did training diverge?");
  }
  BoundEvaluation result;
  result.count = N;
  result.total = mean_with_error(all.total);
  result.prior = mean_with_error(all.prior);
  result.middle = mean_of_rest(all.vb);
  result.exact_decoder = mean_with_error(all.exact_decoder);
  result.vb = column_means(all.vb);
  result.mse = column_means(all.mse);
  result.x0_mse = column_means(all.x0_mse);
  result.decoder = result.vb.front();
  return result;
}

BoundLedger bound_ledger(const DiffusionModel& model, const Dataset& data, Index count, Index times, bool clip) {
  require_bound(model, count);
  const Subset set(data, count);
  const auto labels = require_fits(model, set, set.name.empty() ? "evaluation: the set" : "evaluation: " + set.name);
  const Tensor x0 = samples_of(set);
  const Process& process = model.process();
  const Index T = process.schedule.steps();
  BoundLedger ledger{
      .count = set.size(), .t = {}, .bits = {}, .prior = mean_with_error(process.prior_kl(x0).value()).value};
  for (Index k = 0; k < times; ++k) {
    const double u = times > 1 ? static_cast<double>(k) / static_cast<double>(times - 1) : 0;
    const Index t = std::lround(u * u * static_cast<double>(T - 1));
    if (ledger.t.empty() || t > ledger.t.back()) ledger.t.push_back(t);
  }
  ledger.bits.resize(ledger.t.size());
  const kernels::WithKernels scope(model.kernels());
  const auto packed = model.network().parameters.keep_packed();
  parallel_for(std::ssize(ledger.t), 1, [&](Index k, Index) {
    const Index t = ledger.t[k];
    const NetworkFunction network = model.formulation().in_chain(model.with_labels(labels, model.picture_of(x0)));
    const BoundTerm term = bound_term(process, network, x0, std::vector<Index>(set.size(), t),
                                      normal_rows(noise_at(0, t), x0.shape(), 0), clip);
    ledger.bits[k] = mean_with_error(term.vb).value;
  });
  ledger.total = ledger.prior + ledger.bits[0];
  for (std::size_t k = 1; k < ledger.t.size(); ++k) {
    const auto width = static_cast<double>(ledger.t[k] - ledger.t[k - 1]);  // sums (t[k-1], t[k]]
    ledger.total += ledger.bits[k - 1] * (width - 1) / 2 + ledger.bits[k] * (width + 1) / 2;
  }
  return ledger;
}

std::string step_table(const BoundEvaluation& bound) {
  std::ostringstream csv;
  csv << "t,vb,vb_error,mse,mse_error,x0_mse,x0_mse_error\n";
  const auto cells = [&](const MeanWithError& mean) {
    csv << "," << decimal(mean.value) << "," << decimal(mean.error);
  };
  for (std::size_t t = 0; t < bound.vb.size(); ++t) {
    csv << t;
    for (const auto* column : {&bound.vb, &bound.mse, &bound.x0_mse}) cells((*column)[t]);
    csv << "\n";
  }
  csv << bound.vb.size();
  cells(bound.prior);
  csv << ",,,,\n";
  return csv.str();
}

LikelihoodEvaluation evaluate_likelihood(const DiffusionModel& model, const Dataset& data, Index count,
                                         OdeOptions options, const std::function<bool(double)>& progress) {
  require_gaussian(model.noise(), "the likelihood by the ODE");
  if (count < 1) throw UsageError("likelihood: ", count, " samples; at least 1 is required");
  const bool images = model.facts().sample_shape.rank() == 3;
  const Subset set(data, count);
  const auto labels = require_fits(model, set, set.name.empty() ? "likelihood: the set" : "likelihood: " + set.name);
  const Index each = model.network().labels_per_sample();
  // Images are solved one by one. Batches of points are filled up with copies, because the rounding of a matrix product
  // may depend on the size of the batch.
  const Index N = set.size(), shard = samples_at_once(model.facts().sample_shape, images ? 1 : 16),
              shards = (N + shard - 1) / shard;
  const auto [sigma_min, sigma_max] = model.formulation().sigma_range();
  options.sigma_min = sigma_min;
  options.sigma_max = sigma_max;
  std::vector<double> log_densities(static_cast<std::size_t>(N)), errors(log_densities),
      shares(static_cast<std::size_t>(shards));
  std::vector<Index> evaluations(static_cast<std::size_t>(shards));
  std::mutex mutex;
  bool going = true;
  const kernels::WithKernels scope(model.kernels());
  const auto packed = model.network().parameters.keep_packed();
  parallel_for(N, shard, [&](Index first, Index last) {
    std::vector<Index> indices, own;
    for (Index i = first; i < first + shard; ++i) {
      indices.push_back(std::min(i, N - 1));
      own.insert(own.end(), labels.begin() + indices.back() * each, labels.begin() + (indices.back() + 1) * each);
    }
    Tensor x = set.batch(indices);
    const Tensor picture = model.picture_of(x);
    if (images) x = (Var(x) + dequantisation(options.seed, x.shape(), first)).value();
    OdeOptions of_shard = options;
    of_shard.first_sample = first;
    const auto here = static_cast<std::size_t>(first / shard);
    const auto report = [&](double share) {
      if (!progress) return true;
      const std::scoped_lock lock(mutex);
      shares[here] = share;
      going = going && progress(std::accumulate(shares.begin(), shares.end(), 0.0) / static_cast<double>(shards));
      return going;
    };
    const OdeLikelihood ode =
        ode_log_likelihood(model.formulation().denoiser(model.with_labels(own, picture)), x, of_shard, report);
    std::copy_n(ode.log_density.begin(), last - first, log_densities.begin() + first);
    std::copy_n(ode.numerical_error.begin(), last - first, errors.begin() + first);
    evaluations[here] = ode.evaluations;
  });

  if (const std::size_t bad = first_not_finite(std::span<const double>(log_densities)); bad < log_densities.size()) {
    throw Error("likelihood: ln p of sample ", bad, " is ", log_densities[bad], "; did training diverge?");
  }
  LikelihoodEvaluation result;
  result.count = N;
  result.sigma_min = sigma_min;
  result.sigma_max = sigma_max;
  result.nats = mean_with_error(log_densities);
  result.numerical_error = mean_with_error(errors).value;
  const double to_bits = 1 / (std::numbers::ln2 * static_cast<double>(model.facts().sample_shape.size()));
  result.bits = {-result.nats.value * to_bits - (images ? std::log2(bin) : 0), result.nats.error * to_bits};
  if (images && result.bits.value < 0) {
    throw Error(
        "likelihood: ", result.bits.value,
        " bits per dimension, but 8-bit values take at least 0, because no "
        "probability is above 1; a smaller tolerance, more probes or more samples may help (the numerical error "
        "is about ",
        result.numerical_error * to_bits, ", the statistical one ", result.bits.error, ")");
  }
  for (const Index n : evaluations) result.evaluations += static_cast<double>(n) / static_cast<double>(shards);
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
