#include "benchmarks/reference/kinds.h"
#include "benchmarks/reference/networks.h"
#include "benchmarks/reference/setup.h"
#include "diffusion/formulations/losses.h"
#include "nn/optimizer.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

/// The end of a training step: clips, updates, averages.
class Updates {
 public:
  Updates(const Case& c, const char* optimizer_param, ParameterStore& parameters)
      : optimizer_(read_options(c, optimizer_param), parameters),
        ema_(c.number("ema_rate"), false, parameters),
        learning_rate_(c.number("lr")),
        clip_norm_(c.number("clip_norm", 0)) {}

  /// Returns the gradient's norm before clipping.
  double step(const TensorList& gradients) {
    const double norm = global_norm(gradients);
    optimizer_.step(gradients, learning_rate_, clip_factor(norm, clip_norm_), {&ema_, 1});
    return norm;
  }

  Optimizer& optimizer() { return optimizer_; }
  const TensorList& ema() const { return ema_.average(); }

 private:
  static OptimizerOptions read_options(const Case& c, const char* name) {
    const OptimizerOptions usual;
    return {.name = c.text(name),
            .beta1 = c.number("beta1", usual.beta1),
            .beta2 = c.number("beta2", usual.beta2),
            .eps = c.number("eps", usual.eps),
            .momentum = c.number("momentum", usual.momentum),
            .weight_decay = c.number("weight_decay", usual.weight_decay)};
  }

  Optimizer optimizer_;
  Ema ema_;
  double learning_rate_, clip_norm_;
};

void run_optimizer(Case& c) {
  const Tensor p0 = c.input("p0"), grads = c.input("grads");
  ParameterStore parameters;
  Parameter& p = parameters.root().add("p", p0.shape(), zeros());
  p.value.copy_from(p0);
  Updates updates(c, "name", parameters);
  for (Index i = 0; i < grads.extent(0); ++i) updates.step({grads.rows(i, i + 1).reshape(p0.shape())});
  c.output("p", p.value);
  c.output("ema", updates.ema()[0]);
  for (const char* name : Optimizer::moments) {
    const TensorList& moment = updates.optimizer().moment(name);
    if (!moment.empty()) c.output(name, moment[0]);
  }
}

void run_train(Case& c) {
  const Process process = read_process(c, "schedule");
  const Loss& loss = find_loss(c.text("loss"));
  UNet network(read_unet(c), 0);
  c.load_weights(network.parameters);
  Updates updates(c, "optimizer", network.parameters);
  const std::vector<Tensor> x0 = c.image_steps("x0"), noise = c.image_steps("noise");
  const std::vector<std::vector<Index>> t = c.integer_steps("t");
  const auto labels = c.has_input("y") ? c.integer_steps("y") : std::vector<std::vector<Index>>(t.size());
  std::vector<double> losses, norms;
  for (std::size_t i = 0; i < x0.size(); ++i) {
    const Var x_t = process.q_sample(x0[i], t[i], noise[i]);
    Tape tape;
    const Var output = network(tape.constant(x_t.value()), process.original_steps(t[i]), labels[i], Mode{});
    const Var mean_loss = mean(loss.terms({process, t[i], x0[i], x_t, noise[i], output}, {}).loss);
    TensorList gradients = network.parameters.zeros_like();
    tape.backward(mean_loss, gradients);
    losses.push_back(static_cast<double>(mean_loss.item()));
    norms.push_back(updates.step(gradients));
  }
  c.output("loss", losses);
  c.output("grad_norm", norms);
  for (const Parameter& parameter : network.parameters.all()) {
    c.output("weights/" + parameter.name, parameter.value);
    c.output("ema/" + parameter.name, updates.ema()[parameter.slot]);
  }
}

}  // namespace

Kinds training_kinds() { return {{"optimizer", run_optimizer}, {"train", run_train}}; }

}  // namespace reverie::inline REVERIE_PRECISION
