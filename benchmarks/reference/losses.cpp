#include "diffusion/formulations/losses.h"

#include "benchmarks/reference/kinds.h"
#include "benchmarks/reference/setup.h"
#include "diffusion/evaluation/bound.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void run_loss(Case& c) {
  const Process process = read_process(c);
  const std::vector<Index> t = c.integer_input("t");
  const Tensor x0 = c.image("x0"), noise = c.image("noise");
  Tape tape;
  const Var model_output = tape.variable(c.image("model_output"));
  const LossTerms terms = find_loss(c.text("loss"))
                              .terms({.process = process,
                                      .t = t,
                                      .x0 = x0,
                                      .x_t = process.q_sample(x0, t, noise),
                                      .noise = noise,
                                      .model_output = model_output},
                                     {});
  tape.backward(mean(terms.loss));
  c.output("loss", terms.loss.value());
  if (terms.mse.value().defined()) c.output("mse", terms.mse.value());
  if (terms.vb.value().defined()) c.output("vb", terms.vb.value());
  c.output_image("grad_model_output", tape.gradient(model_output));
}

void run_bpd(Case& c) {
  const VariationalBound bound =
      variational_bound(read_process(c), read_wave(c), c.image("x0"), read_noise(c), c.flag("clip"));
  c.output("total_bpd", bound.total);
  c.output("prior_bpd", bound.prior);
  c.output("vb", bound.vb);
  c.output("mse", bound.mse);
  c.output("x0_mse", bound.x0_mse);
}

void run_discretized_gaussian(Case& c) {
  c.output("log_likelihood",
           discretized_gaussian_log_likelihood(c.input("x"), c.input("means"), c.input("log_scales")).value());
}

}  // namespace

Kinds loss_kinds() {
  return {{"loss", run_loss}, {"bpd", run_bpd}, {"discretized_gaussian", run_discretized_gaussian}};
}

}  // namespace reverie::inline REVERIE_PRECISION
