#include "diffusion/training/trainer.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

DataFacts facts(const Dataset& data) { return {data.sample_shape(), data.class_names}; }

// Of a list with an entry a sample, or none, those of samples [first, last).
template <class T>
std::span<const T> part(const std::vector<T>& list, Index first, Index last) {
  if (list.empty()) return {};
  return std::span(list).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
}

// A configuration that a run may go on under: only these keys may differ from the one that it began with.
void require_same(const Config& now, const Config& then, const std::string& origin) {
  static const std::set<std::string> free = {"data.validation",        "train.steps",
                                             "train.log_every",        "train.validate_every",
                                             "train.validation_count", "train.checkpoint_every",
                                             "train.preview_every",    "train.preview_count"};
  Config a = now, b = then;
  const auto fields_a = config_fields(a), fields_b = config_fields(b);
  for (std::size_t i = 0; i < fields_a.size(); ++i) {
    const std::string& key = fields_a[i].key;
    if (free.contains(key) || key.starts_with("sample.")) continue;
    const std::string value_a = field_text(fields_a[i]), value_b = field_text(fields_b[i]);
    if (value_a != value_b) {
      throw UsageError("resume: `", key, "` is ", value_a, " now but was ", value_b, " in ", origin,
                       "; a resumed run keeps its configuration");
    }
  }
}

// With what a configuration leaves to the samples.
Config config_for(Config config, const Shape& sample) {
  config.train.shard_size = shard_size(config, sample);
  config.train.learning_rate.total_steps = config.train.steps;
  return config;
}

}  // namespace

Index shard_size(const Config& config, const Shape& sample) {
  return config.train.shard_size > 0 ? config.train.shard_size : samples_at_once(sample, 8);
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

Trainer::Trainer(const Config& config, const Dataset& train)
    : config_(config_for(config, train.sample_shape())),
      model_(config, facts(train)),
      loader_(train, config.train.batch_size, static_cast<std::uint64_t>(config.train.seed), config.data.flip),
      objective_(model_.formulation.objective(config, model_.process)),
      timestep_sampler_(make_timestep_sampler(config.train.timestep_sampler, config.diffusion.steps,
                                              config.train.timestep_sampler_parameters)),
      gradient_(model_.network->parameters, config_.train.shard_size, config.train.lanes),
      optimizer_(config.train.optimizer, model_.network->parameters),
      raw_(model_.network->parameters.values()) {
  for (const double rate : config.train.ema_rates)
    emas_.emplace_back(rate, config.train.ema_warmup, model_.network->parameters);
}

Trainer::Trainer(const Config& config, const Dataset& train, const Checkpoint& saved, const std::string& origin)
    : Trainer(config, train) {
  require_same(config_, config_for(saved.config, train.sample_shape()), origin);
  if (saved.data.sample_shape != train.sample_shape() || saved.data.class_names != train.class_names) {
    throw UsageError("resume: the run in ", origin, " learnt samples of shape ", saved.data.sample_shape, " in ",
                     saved.data.class_names.size(), " classes, the data has shape ", train.sample_shape(), " and ",
                     train.class_names.size(), " classes");
  }
  const ParameterStore& parameters = model_.network->parameters;
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

Checkpoint Trainer::checkpoint() const {
  const ParameterStore& parameters = model_.network->parameters;
  for (const Parameter& p : parameters.all()) {  // so that the last good checkpoint stays
    if (!std::all_of(p.value.values().begin(), p.value.values().end(), [](real v) { return std::isfinite(v); })) {
      throw Error("training: after step ", steps_done_, " the parameter ", p.name,
                  " is not finite; a smaller learning rate or clip_norm may help");
    }
  }
  Checkpoint saved{
      .config = config_, .data = model_.data, .step = steps_done_, .updates = optimizer_.updates, .tensors = {}};
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

const TensorList& Trainer::sampling_weights() const { return emas_.empty() ? raw_ : emas_.front().average(); }

// x0, times and the key of the noise of the next step: functions of the seed, the step and what the timestep sampler
// has learned.
Trainer::Batch Trainer::draw_batch() const {
  const auto seed = static_cast<std::uint64_t>(config_.train.seed);
  const auto step = static_cast<std::uint64_t>(steps_done_);
  Loader::Batch drawn = loader_.batch(steps_done_);
  Batch batch{.x0 = drawn.x0,
              .noise = {.seed = seed, .stream = Stream::noise, .step = step},
              .times = timestep_sampler_->draw(seed, steps_done_, drawn.x0.extent(0)),
              .labels = {}};
  if (!model_.conditional()) return batch;
  batch.labels = std::move(drawn.labels);
  for (Index i = 0; i < batch.size(); ++i) {  // [Ho22] alg. 1: now and then the class is withheld
    const RandomKey key{
        .seed = seed, .stream = Stream::label_drop, .step = step, .sample = static_cast<std::uint32_t>(i)};
    if (uniform(key) < config_.train.label_dropout) batch.labels[i] = model_.null_class();
  }
  return batch;
}

Mode Trainer::training_mode(Index first_sample) const {
  const RandomKey key{.seed = static_cast<std::uint64_t>(config_.train.seed),
                      .stream = Stream::dropout,
                      .step = static_cast<std::uint64_t>(steps_done_)};
  return {.training = true, .dropout = key.with_sample(first_sample)};
}

// The losses of samples [first, last) of a batch, [last - first]; recorded where there is a tape.
Var Trainer::shard_losses(Tape* tape, const Batch& batch, Index first, Index last, const Mode& mode) const {
  const auto data = [&](const Tensor& x) { return tape ? tape->constant(x) : Var(x); };
  const Tensor x0 = batch.x0.rows(first, last), noise = normal_rows(batch.noise, x0.shape(), first);
  const NetworkFunction network = [&](const Var& x, std::span<const double> t) {
    return (*model_.network)(x, t, part(batch.labels, first, last), mode);
  };
  return objective_(network, data(x0), data(noise), part(batch.times.u, first, last));
}

// What samples [first, last) add to the batch's loss, recorded; `each` gets the loss of every one, without its weight.
Var Trainer::shard_loss(Tape& tape, const Batch& batch, Index first, Index last, std::span<double> each) const {
  const Var losses = shard_losses(&tape, batch, first, last, training_mode(first));
  std::copy(losses.value().values().begin(), losses.value().values().end(), each.begin());
  const Tensor weights = Tensor::from({last - first}, part(batch.times.weights, first, last));
  return sum(losses * weights) / static_cast<double>(batch.size());
}

RecordedLoss Trainer::first_shard() const {
  const Batch batch = draw_batch();
  const Index size = std::min(config_.train.shard_size, batch.size());
  return [this, batch, size, each = std::vector<double>(static_cast<std::size_t>(size))](Tape& tape) mutable {
    return shard_loss(tape, batch, 0, size, each);
  };
}

StepReport Trainer::step() {
  const kernels::WithKernels scope(model_.kernel_choice);
  const Batch batch = draw_batch();
  std::vector<double> losses(static_cast<std::size_t>(batch.size()));  // of each sample
  gradient_.compute(batch.size(), [&](Tape& tape, Index first, Index last) {
    return shard_loss(tape, batch, first, last, std::span(losses).subspan(static_cast<std::size_t>(first)));
  });
  double loss = 0;
  for (std::size_t i = 0; i < losses.size(); ++i) loss += batch.times.weights[i] * losses[i];
  loss /= static_cast<double>(batch.size());
  const double norm = gradient_.norm();
  if (!std::isfinite(loss) || !std::isfinite(norm)) explain_not_finite(batch, loss);
  const double rate = config_.train.learning_rate(steps_done_);
  optimizer_.step(gradient_.value(), rate, clip_factor(norm, config_.train.clip_norm), emas_);
  ++steps_done_;
  timestep_sampler_->observe(batch.times.u, losses);
  QuartileLosses quartiles;
  for (std::size_t i = 0; i < losses.size(); ++i) quartiles.add(batch.times.u[i], losses[i]);
  return {steps_done_, loss, norm, rate, quartiles};
}

// Goes through the step again, shard by shard, on a tape that looks at every number.
void Trainer::explain_not_finite(const Batch& batch, double loss) {
  const std::string where = concat("training: step ", steps_done_ + 1, ": ");
  std::string parameter;
  for (const Parameter& p : model_.network->parameters.all()) {
    for (const real g : gradient_.value()[p.slot].values()) {
      if (!std::isfinite(g) && parameter.empty()) parameter = p.name;
    }
  }
  if (!parameter.empty()) parameter = ", parameter " + parameter;
  for (Index first = 0; first < batch.size(); first += config_.train.shard_size) {
    const Index last = std::min(first + config_.train.shard_size, batch.size());
    TensorList gradient = model_.network->parameters.zeros_like();
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

double Trainer::validation_loss(const Dataset& held_out) {
  const Index count = std::min(config_.train.validation_count, held_out.size());
  const RandomKey key{.seed = 0, .stream = Stream::validation};
  std::vector<Index> indices;
  Batch batch;
  for (const Index i : permutation(key, count)) {  // no trend of the data with u
    indices.push_back(std::ssize(indices));
    batch.times.u.push_back((static_cast<double>(i) + 0.5) / static_cast<double>(count));  // spread evenly
  }
  batch.x0 = held_out.batch(indices);
  batch.noise = key;
  if (model_.conditional()) batch.labels.assign(held_out.labels.begin(), held_out.labels.begin() + count);

  const WithValues averaged(model_.network->parameters, sampling_weights());
  const auto kept = model_.network->parameters.keep_packed();
  const double total = parallel_sum(count, config_.train.shard_size, [&](Index first, Index last) {
    return static_cast<double>(sum(shard_losses(nullptr, batch, first, last, {})).item());
  });
  return total / static_cast<double>(count);
}

}  // namespace reverie::inline REVERIE_PRECISION
