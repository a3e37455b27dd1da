#include "apps/weights.h"

#include "tensor/decimal.h"

namespace reverie::inline REVERIE_PRECISION {

LoadedModel load(const std::string& checkpoint_path, std::string weights) {
  const Checkpoint checkpoint = read_checkpoint(checkpoint_path);
  const auto& rates = checkpoint.config.train.ema_rates;
  if (weights.empty()) weights = rates.empty() ? "raw" : "ema";
  DiffusionModel model = model_of(checkpoint, weights, checkpoint_path);
  if (weights == "ema") weights = "ema:" + decimal(rates.front());
  return {std::move(model), checkpoint.config,
          concat(checkpoint_path, " (step ", checkpoint.state.step, ", weights ", weights, ")")};
}

void add_model(CLI::App* command, std::string& checkpoint_path, std::string& weights) {
  command->add_option("--checkpoint", checkpoint_path, "Checkpoint of a training run")->type_name("FILE");
  command
      ->add_option("--weights", weights,
                   "Weights to use: the first moving average (EMA), the one with this rate, or the raw weights [ema]")
      ->type_name("ema|raw|ema:RATE");
}

}  // namespace reverie::inline REVERIE_PRECISION
