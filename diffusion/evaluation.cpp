#include "diffusion/evaluation.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <mutex>
#include <numeric>

#include "diffusion/likelihood.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index evaluation_shard = 8;  // samples a task

// The mean over samples of each column of [N,T], added in the samples' order.
std::vector<double> column_means(const Tensor& table) {
  const Index N = table.extent(0), T = table.extent(1);
  std::vector<double> means(static_cast<std::size_t>(T));
  for (Index i = 0; i < N * T; ++i) means[static_cast<std::size_t>(i % T)] += static_cast<double>(table[i]);
  for (double& mean : means) mean /= static_cast<double>(N);
  return means;
}

double mean_of(const Tensor& values) {
  return std::accumulate(values.values().begin(), values.values().end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

void require_fits(const DiffusionModel& model, const Dataset& data, const std::string& where) {
  if (data.sample_shape() != model.data.sample_shape) {
    throw UsageError(where, ": has samples of shape ", data.sample_shape(), ", the model wants ",
                     model.data.sample_shape);
  }
  if (model.conditional() && data.class_names != model.data.class_names) {
    throw UsageError(where, ": has ", data.class_names.size(), " classes that are not the model's ",
                     model.data.class_names.size());
  }
}

Evaluation evaluate_bound(const DiffusionModel& model, const Dataset& data, Index count, std::uint64_t seed,
                          const std::function<bool(double)>& progress) {
  require_fits(model, data, data.name.empty() ? "evaluation: the set" : "evaluation: " + data.name);
  if (model.data.sample_shape.rank() != 3) {
    throw UsageError("evaluation: bits per dimension are for images of 8-bit values; this model learned points");
  }
  if (count < 1) throw UsageError("evaluation: ", count, " samples; at least one must be asked for");
  const Index N = std::min(count, data.size()), T = model.process.schedule.steps();
  VariationalBound all;
  for (Tensor* list : {&all.total, &all.prior}) *list = Tensor::uninitialized({N});
  for (Tensor* table : {&all.vb, &all.mse, &all.x0_mse}) *table = Tensor::uninitialized({N, T});

  const auto kept = model.network->parameters.keep_prepared();
  std::mutex mutex;
  Index done = 0;
  parallel_for(N, evaluation_shard, [&](Index first, Index last) {
    std::vector<Index> indices(static_cast<std::size_t>(last - first));
    std::iota(indices.begin(), indices.end(), first);
    const Tensor x0 = data.batch(indices);
    const auto noise = [&](Index t) {  // asked for once a step
      if (progress) {
        const std::scoped_lock lock(mutex);
        if (!progress(static_cast<double>(done) / static_cast<double>(N * T))) throw Error("evaluation: interrupted");
        done += last - first;
      }
      return normal_rows({.seed = seed, .stream = Stream::validation, .step = static_cast<std::uint64_t>(t)},
                         x0.shape(), first);
    };
    const Model network =
        !model.conditional()
            ? model.unconditional()
            : Model([ask = model.class_conditional(),
                     labels = std::span(data.labels).subspan(static_cast<std::size_t>(first), indices.size())](
                        const Tensor& x, std::span<const double> t) { return ask(x, t, labels); });
    const VariationalBound part =
        variational_bound(model.process, model.in_chain(network), x0, noise, model.config.sample.clip);
    all.total.rows(first, last).copy_from(part.total);
    all.prior.rows(first, last).copy_from(part.prior);
    all.vb.rows(first, last).copy_from(part.vb);
    all.mse.rows(first, last).copy_from(part.mse);
    all.x0_mse.rows(first, last).copy_from(part.x0_mse);
  });

  Evaluation result;
  result.count = N;
  result.total = mean_of(all.total);
  result.prior = mean_of(all.prior);
  result.vb = column_means(all.vb);
  result.mse = column_means(all.mse);
  result.x0_mse = column_means(all.x0_mse);
  result.decoder = result.vb.front();
  result.middle = std::accumulate(result.vb.begin() + 1, result.vb.end(), 0.0);
  double squares = 0;
  for (const real total : all.total.values()) squares += std::pow(static_cast<double>(total) - result.total, 2);
  if (N > 1) result.standard_error = std::sqrt(squares / static_cast<double>(N - 1) / static_cast<double>(N));
  return result;
}

std::string step_table(const Evaluation& evaluation) {
  std::ostringstream csv;
  csv << "t,vb,mse,x0_mse\n" << std::setprecision(9);
  for (std::size_t t = 0; t < evaluation.vb.size(); ++t)
    csv << t << "," << evaluation.vb[t] << "," << evaluation.mse[t] << "," << evaluation.x0_mse[t] << "\n";
  return csv.str();
}

}  // namespace reverie::inline REVERIE_PRECISION
