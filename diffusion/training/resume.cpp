#include "diffusion/training/resume.h"

#include <set>

#include "data/classes.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The options as completed by the trainer.
Config completed(Config config, const Trainer& trainer) {
  config.train = trainer.options();
  return config;
}

// Whether a resumed run may change this key.
bool may_change(const std::string& key) {
  static const std::set<std::string> free = {
      "data.validation",  "train.steps",          "train.learning_rate",    "train.clip_norm",
      "train.log_every",  "train.validate_every", "train.validation_count", "train.checkpoint_every",
      "train.keep_every", "train.preview_every",  "train.preview_count"};
  return free.contains(key) || key.starts_with("sample.");
}

}  // namespace

std::vector<ConfigChange> changes(const Config& before, const Config& now, const Shape& sample) {
  Config a = before, b = now;
  a.train = complete(a.train, sample);
  b.train = complete(b.train, sample);
  const auto fields_a = config_fields(a), fields_b = config_fields(b);
  std::vector<ConfigChange> list;
  for (std::size_t i = 0; i < fields_a.size(); ++i) {
    const std::string value_a = field_text(fields_a[i]), value_b = field_text(fields_b[i]);
    if (value_a != value_b) list.push_back({fields_a[i].key, value_a, value_b});
  }
  return list;
}

void resume(Trainer& trainer, const Config& config, const Checkpoint& checkpoint, const std::string& origin) {
  const DataFacts& facts = trainer.model().facts();
  for (const ConfigChange& change : changes(checkpoint.config, config, facts.sample_shape)) {
    // Data may have moved: what counts is its content, which restore() compares if the checkpoint knows it.
    if (may_change(change.key) || (change.key == "data.train" && !checkpoint.state.data.empty())) continue;
    throw UsageError("resume: `", change.key, "` is ", change.now, " now but was ", change.before, " in ", origin,
                     "; a resumed run keeps its configuration");
  }
  if (config.train.steps < checkpoint.state.step) {
    throw UsageError("resume: `train.steps` is ", config.train.steps, ", but the run in ", origin, " has done ",
                     checkpoint.state.step, " steps already; expects at least that many");
  }
  if (checkpoint.data.sample_shape != facts.sample_shape) {
    throw UsageError("resume: `data.train` has samples of shape ", facts.sample_shape, ", but the run in ", origin,
                     " was trained on samples of shape ", checkpoint.data.sample_shape);
  }
  match_classes(facts.class_names, "resume: the data", checkpoint.data.class_names, "the run in " + origin);
  if (checkpoint.data.class_names != facts.class_names) {
    throw UsageError("resume: the model was built with its classes in another order than that of ", origin);
  }
  trainer.restore(checkpoint.state, origin);
}

Checkpoint checkpoint_of(const Trainer& trainer, const Config& config) {
  return {completed(config, trainer), trainer.model().facts(), trainer.state()};
}

}  // namespace reverie::inline REVERIE_PRECISION
