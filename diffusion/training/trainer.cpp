#include "diffusion/training/trainer.h"

#include <algorithm>
#include <cmath>

#include "data/fingerprint.h"
#include "data/subset.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The entries of samples [first, last) from a list with one entry per sample, or empty for an empty list.
template <class T>
std::span<const T> part(const std::vector<T>& list, Index first, Index last) {
  if (list.empty()) return {};
  return std::span(list).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
}

}  // namespace

StepReport Trainer::step() {
  const Batch batch = draw_batch();
  std::vector<double> losses(static_cast<std::size_t>(batch.size()));  // per sample
  const kernels::WithKernels scope(model_.kernels());
  gradient_.compute(batch.size(), [&](Tape& tape, Index first, Index last) {
    return shard_loss(tape, batch, first, last, std::span(losses).subspan(static_cast<std::size_t>(first)));
  });
  double loss = 0;
  for (std::size_t i = 0; i < losses.size(); ++i) loss += batch.times.weights[i] * losses[i];
  loss /= static_cast<double>(batch.size());
  const double norm = gradient_.norm();
  if (!std::isfinite(loss) || !std::isfinite(norm)) explain_not_finite(batch, loss);
  const double rate = options_.learning_rate(steps_done_);
  optimizer_.step(gradient_.value(), rate, clip_factor(norm, options_.clip_norm), emas_);
  ++steps_done_;
  timestep_sampler_->observe(batch.times.u, losses);
  QuartileLosses quartiles;
  for (std::size_t i = 0; i < losses.size(); ++i) quartiles.add(batch.times.u[i], losses[i]);
  return {steps_done_, loss, norm, rate, quartiles};
}

// Draws x0, times and the noise key of the next training step: functions of the seed, the training step and the state
// of the timestep sampler.
Trainer::Batch Trainer::draw_batch() const {
  const auto seed = static_cast<std::uint64_t>(options_.seed);
  const auto step = static_cast<std::uint64_t>(steps_done_);
  Loader::Batch drawn = loader_.batch(steps_done_);
  Batch batch{.x0 = drawn.x0,
              .noise = {.seed = seed, .stream = Stream::noise, .step = step},
              .times = timestep_sampler_->draw(seed, steps_done_, drawn.x0.extent(0)),
              .labels = {}};
  if (!model_.conditional()) return batch;
  const Index each = model_.network().labels_per_sample();
  for (const Index index : drawn.indices) {
    batch.labels.insert(batch.labels.end(), labels_.begin() + index * each, labels_.begin() + (index + 1) * each);
  }
  for (Index i = 0; i < batch.size(); ++i) {  // [Ho22] Alg. 1: sometimes drops the class or the caption
    const RandomKey key{
        .seed = seed, .stream = Stream::label_drop, .step = step, .sample = static_cast<std::uint32_t>(i)};
    if (uniform(key) < options_.label_dropout) {
      std::fill_n(batch.labels.begin() + i * each, each, model_.null_class());
    }
  }
  return batch;
}

// The losses of samples [first, last) of a batch, [last - first]; recorded if there is a tape.
Var Trainer::shard_losses(Tape* tape, const Batch& batch, Index first, Index last, const Mode& mode) const {
  const auto data = [&](const Tensor& x) { return tape ? tape->constant(x) : Var(x); };
  const Tensor x0 = batch.x0.rows(first, last), noise = model_.noise().rows(batch.noise, x0.shape(), first);
  Tensor picture = model_.picture_of(x0);
  if (const double deviation = mode.training ? options_.low_resolution_noise : 0; deviation > 0) {
    RandomKey key = batch.noise;
    key.channel = 1;  // another noise than that of x_t; the reduced picture's, so it is the same in an enlarged pixel
    const Index factor = model_.low_resolution(), height = x0.extent(1) / factor, width = x0.extent(2) / factor;
    const Tensor small = normal_rows(key, {last - first, height, width, x0.extent(3)}, first);
    picture = (Var(picture) + deviation * Var(model_.picture_of_small(small))).value();
  }
  const NetworkFunction network = [&](const Var& x, std::span<const double> t) {
    const Index each = model_.network().labels_per_sample();
    return model_(x, t, part(batch.labels, first * each, last * each), mode, picture);
  };
  return model_.formulation().losses(network, data(x0), data(noise), part(batch.times.u, first, last));
}

// The contribution of samples [first, last) to the batch's loss, recorded; `each` receives each sample's unweighted
// loss.
Var Trainer::shard_loss(Tape& tape, const Batch& batch, Index first, Index last, std::span<double> each) const {
  const Var losses = shard_losses(&tape, batch, first, last, training_mode(first));
  std::copy(losses.value().values().begin(), losses.value().values().end(), each.begin());
  const Tensor weights = Tensor::from({last - first}, part(batch.times.weights, first, last));
  return sum(losses * weights) / static_cast<double>(batch.size());
}

Mode Trainer::training_mode(Index first_sample) const {
  const RandomKey key{.seed = static_cast<std::uint64_t>(options_.seed),
                      .stream = Stream::dropout,
                      .step = static_cast<std::uint64_t>(steps_done_)};
  return {.training = true, .dropout = key.with_sample(first_sample)};
}

RecordedLoss Trainer::first_shard() const {
  const Batch batch = draw_batch();
  const Index size = std::min(options_.shard_size, batch.size());
  return [this, batch, size, each = std::vector<double>(static_cast<std::size_t>(size))](Tape& tape) mutable {
    return shard_loss(tape, batch, 0, size, each);
  };
}

// Repeats the training step, shard by shard, on a tape that checks every number.
void Trainer::explain_not_finite(const Batch& batch, double loss) {
  const std::string where = concat("training: step ", steps_done_ + 1, ": ");
  std::string parameter;
  for (const Parameter& p : model_.network().parameters.all()) {
    for (const real g : gradient_.value()[p.slot].values()) {
      if (!std::isfinite(g) && parameter.empty()) parameter = p.name;
    }
  }
  if (!parameter.empty()) parameter = ", parameter " + parameter;
  for (Index first = 0; first < batch.size(); first += options_.shard_size) {
    const Index last = std::min(first + options_.shard_size, batch.size());
    TensorList gradient = model_.network().parameters.zeros_like();
    try {
      Tape tape(Tape::Check::finite);
      tape.backward(mean(shard_losses(&tape, batch, first, last, training_mode(first))), gradient);
    } catch (const NotFiniteError& error) {
      throw Error(where, error.what(), parameter, "; the loss is ", loss,
                  "; a smaller learning rate or clip_norm may help");
    }
  }
  throw Error(where, "the loss is ", loss, " and a gradient is not finite", parameter);
}

TrainOptions complete(TrainOptions options, const Shape& sample) {
  if (options.shard_size == 0) options.shard_size = samples_at_once(sample, 8);
  options.learning_rate.total_steps = options.steps;
  return options;
}

Trainer::Trainer(DiffusionModel model, const Dataset& data, const TrainOptions& options)
    : options_(complete(options, data.sample_shape())),
      model_(std::move(model)),
      labels_(require_fits(model_, data, "training: the data")),
      data_(data),
      loader_(data, options_.batch_size, static_cast<std::uint64_t>(options_.seed), options_.augmentation),
      timestep_sampler_(make_timestep_sampler(options_.timestep_sampler, model_.process().schedule.steps(),
                                              options_.timestep_sampler_parameters)),
      gradient_(model_.network().parameters, options_.shard_size, options_.accumulators),
      optimizer_(options_.optimizer, model_.network().parameters),
      raw_(model_.network().parameters.values()) {
  if (options_.label_dropout > 0 && !(model_.conditional() && model_.has_null_class())) {
    throw UsageError("training: label dropout requires a network with a label for \"none\" after the data's ",
                     model_.null_class(), " classes or tokens");
  }
  if (options_.low_resolution_noise > 0 && model_.low_resolution() == 0) {
    throw UsageError("training: noise on reduced pictures requires a model that is given them (model.low_resolution)");
  }
  for (const double rate : options_.ema_rates) {
    emas_.emplace_back(rate, options_.ema_warmup, model_.network().parameters);
  }
}

double Trainer::validation_loss(const Dataset& held_out) {
  const Subset set(held_out, options_.validation_count);
  const Index count = set.size();
  const RandomKey key{.seed = 0, .stream = Stream::validation};
  Batch batch;
  for (const Index i : permutation(key, count)) {  // avoids a correlation of data and u
    batch.times.u.push_back((static_cast<double>(i) + 0.5) / static_cast<double>(count));  // spread evenly
  }
  batch.x0 = samples_of(set);
  batch.noise = key;
  batch.labels = require_fits(model_, set, "validation: the held-out data");

  const WithValues averaged(model_.network().parameters, sampling_weights());
  const kernels::WithKernels scope(model_.kernels());
  const auto packed = model_.network().parameters.keep_packed();
  const double total = parallel_sum(count, options_.shard_size, [&](Index first, Index last) {
    return static_cast<double>(sum(shard_losses(nullptr, batch, first, last, {})).item());
  });
  return total / static_cast<double>(count);
}

const TensorList& Trainer::sampling_weights() const { return emas_.empty() ? raw_ : emas_.front().average(); }

void Trainer::with_sampling_weights(const std::function<void(const DiffusionModel&)>& use) {
  const WithValues averaged(model_.network().parameters, sampling_weights());
  use(model_);
}

TrainingState Trainer::state() const {
  const ParameterStore& parameters = model_.network().parameters;
  for (const Parameter& p : parameters.all()) {  // keeps the last good checkpoint
    if (!std::all_of(p.value.values().begin(), p.value.values().end(), [](real v) { return std::isfinite(v); })) {
      throw Error("training: after step ", steps_done_, " the parameter ", p.name,
                  " is not finite; a smaller learning rate or clip_norm may help");
    }
  }
  TrainingState saved{.step = steps_done_, .updates = optimizer_.updates, .data = data_fingerprint(), .tensors = {}};
  saved.tensors["weights"] = named(parameters, raw_);
  for (const Ema& ema : emas_) saved.tensors[ema_group(ema.rate())] = named(parameters, ema.average());
  for (const char* moment : Optimizer::moments) {
    const TensorList& list = optimizer_.moment(moment);
    if (!list.empty()) saved.tensors[concat("optimizer/", moment)] = named(parameters, list);
  }
  if (TensorMap state = timestep_sampler_->state(); !state.empty())
    saved.tensors["timestep_sampler"] = std::move(state);
  return saved;
}

const std::string& Trainer::data_fingerprint() const {
  if (fingerprint_.empty()) fingerprint_ = fingerprint(data_);
  return fingerprint_;
}

void Trainer::restore(const TrainingState& saved, const std::string& origin) {
  if (!saved.data.empty() && saved.data != data_fingerprint()) {
    throw UsageError("resume: the run in ", origin, " was trained on other data: ", saved.data, "; now ",
                     data_fingerprint());
  }
  const ParameterStore& parameters = model_.network().parameters;
  const auto restore = [&](TensorList& into, const std::string& group) {
    if (into.empty()) return;
    const TensorList from = saved.in_order(group, parameters, origin);
    for (std::size_t i = 0; i < into.size(); ++i) into[i].copy_from(from[i]);
  };
  restore(raw_, "weights");
  for (Ema& ema : emas_) restore(ema.average(), ema_group(ema.rate()));
  for (const char* moment : Optimizer::moments) restore(optimizer_.moment(moment), concat("optimizer/", moment));
  const auto sampler_state = saved.tensors.find("timestep_sampler");
  timestep_sampler_->restore(sampler_state == saved.tensors.end() ? TensorMap{} : sampler_state->second, origin);
  optimizer_.updates = saved.updates;
  steps_done_ = saved.step;
}

void QuartileLosses::add(double u, double loss) {
  const auto quarter = static_cast<std::size_t>(std::clamp(4 * u, 0.0, 3.0));
  sum[quarter] += loss;
  ++count[quarter];
}

QuartileLosses& QuartileLosses::operator+=(const QuartileLosses& other) {
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    sum[quarter] += other.sum[quarter];
    count[quarter] += other.count[quarter];
  }
  return *this;
}

std::optional<double> QuartileLosses::mean(std::size_t quarter) const {
  if (count[quarter] == 0) return std::nullopt;
  return sum[quarter] / static_cast<double>(count[quarter]);
}

}  // namespace reverie::inline REVERIE_PRECISION
