// A dataset made on the fly: pictures of discs, computed when a batch asks for them. Dataset needs three functions.
#include <cmath>
#include <iostream>

#include "data/grid.h"
#include "diffusion/formulations/flow.h"
#include "diffusion/model/sampling.h"
#include "diffusion/networks/unet.h"
#include "diffusion/training/trainer.h"

using namespace reverie;

namespace {

// 8x8 pixels in [-1, 1]: a bright disc whose centre and radius are functions of the sample's index.
struct Discs : Dataset {
  Index size() const override { return 5000; }
  Shape sample_shape() const override { return {8, 8, 1}; }
  Tensor batch(std::span<const Index> indices) const override {
    Tensor x = Tensor::uninitialized({std::ssize(indices), 8, 8, 1});
    for (Index i = 0; i < x.size(); ++i) {
      const RandomKey key{.seed = 7, .sample = static_cast<std::uint32_t>(indices[i / 64])};
      const double cx = 2 + 3 * uniform(key, 0), cy = 2 + 3 * uniform(key, 1), radius = 1 + 1.5 * uniform(key, 2);
      const double distance = std::hypot(static_cast<double>(i % 8) - cx, static_cast<double>(i / 8 % 8) - cy);
      x[i] = static_cast<real>(std::tanh(2 * (radius - distance)));
    }
    return x;
  }
};

}  // namespace

int main() {
  const Discs discs;
  const Process chain(make_schedule("cosine", 100), MeanType::x0, VarianceType::fixed_small);
  auto network = std::make_unique<UNet>(
      UNetOptions{.model_channels = 32, .channel_mult = {1, 1}, .num_res_blocks = 1, .attention_rates = {}}, 1);
  Trainer trainer({facts_of(discs), std::move(network), std::make_unique<FlowFormulation>(chain)}, discs,
                  {.steps = 100, .batch_size = 32, .learning_rate = {.base = 1e-3}, .ema_rates = {0.95}});
  const double before = trainer.validation_loss(discs);
  while (trainer.steps_done() < trainer.options().steps) trainer.step();
  std::cout << "validation loss " << before << " -> " << trainer.validation_loss(discs) << "\n";

  SampleRequest request;
  request.sampler = "flow_heun", request.steps = 8, request.count = 16;
  trainer.with_sampling_weights(
      [&](const DiffusionModel& trained) { write_png("discs.png", grid(generate(trained, request).x, 4)); });
  std::cout << "discs.png: 16 samples\n";
}
