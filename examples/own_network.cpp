// A network of one's own, trained on two moons: Network is the only class to derive from.
#include <iostream>

#include "data/toy.h"
#include "diffusion/formulations/edm.h"
#include "diffusion/model/sampling.h"
#include "diffusion/training/trainer.h"

using namespace reverie;

namespace {

// Two hidden layers. Time enters as one more input, ln(sigma) / 4 as EDM gives it; no classes.
class TwoLayers : public Network {
 public:
  explicit TwoLayers(std::uint64_t seed)
      : Network(seed),
        first_(parameters.root() / "first", 3, 64),
        second_(parameters.root() / "second", 64, 64),
        last_(parameters.root() / "last", 64, 2, zeros()) {}

  Var operator()(const Var& x, std::span<const double> t, std::span<const Index>, const Mode&) const override {
    Tensor time = Tensor::uninitialized({x.extent(0), 1});
    for (Index i = 0; i < time.size(); ++i) time[i] = static_cast<real>(t[i] / network_time_scale);
    return last_(silu(second_(silu(first_(concat({x, Var(time)}, 1))))));
  }

 private:
  Linear first_, second_, last_;
};

}  // namespace

int main() {
  const PointSet moons = toy("two_moons", 4000, 0);
  const Process chain(make_schedule("cosine", 100), MeanType::x0, VarianceType::fixed_small);
  DiffusionModel model(facts_of(moons), std::make_unique<TwoLayers>(1),
                       std::make_unique<EdmFormulation>(chain, EdmOptions{.sigma_data = 1}));

  Trainer trainer(std::move(model), moons, {.steps = 1500, .batch_size = 256, .ema_rates = {0.99}});
  const double before = trainer.validation_loss(moons);
  while (trainer.steps_done() < trainer.options().steps) trainer.step();
  std::cout << "validation loss " << before << " -> " << trainer.validation_loss(moons) << "\n";

  SampleRequest request;
  request.sampler = "heun", request.steps = 18, request.count = 5, request.clip = false;
  trainer.with_sampling_weights([&](const DiffusionModel& trained) {
    const Tensor x = generate(trained, request).x;
    for (Index i = 0; i < 5; ++i) std::cout << "sample " << x[2 * i] << " " << x[2 * i + 1] << "\n";
  });
}
