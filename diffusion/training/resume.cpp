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

// Throws unless the configurations agree in all but these keys.
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

}  // namespace

void resume(Trainer& trainer, const Config& config, const Checkpoint& checkpoint, const std::string& origin) {
  Config then = checkpoint.config;
  const DataFacts& facts = trainer.model().facts();
  then.train = complete(then.train, facts.sample_shape);
  require_same(completed(config, trainer), then, origin);
  if (checkpoint.data.sample_shape != facts.sample_shape) {
    throw UsageError("resume: the run in ", origin, " was trained on samples of shape ", checkpoint.data.sample_shape,
                     ", the data has shape ", facts.sample_shape);
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
