#include "diffusion/process/process.h"

#include "benchmarks/reference/kinds.h"
#include "benchmarks/reference/setup.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void run_q_sample(Case& c) {
  const Process process = read_process(c);
  const Tensor x0 = c.image("x0");
  const std::vector<Index> t = c.integer_input("t");
  const Gaussian q = process.q_mean_variance(x0, t);
  c.output_image("x_t", process.q_sample(x0, t, c.image("noise")).value());
  c.output_image("mean", q.mean.value());
  c.output_image("variance", q.variance.value());
  c.output_image("log_variance", q.log_variance.value());
}

void run_q_posterior(Case& c) {
  const Gaussian q = read_process(c).posterior(c.image("x0"), c.image("x_t"), c.integer_input("t"));
  c.output_image("mean", q.mean.value());
  c.output_image("variance", q.variance.value());
  c.output_image("log_variance_clipped", q.log_variance.value());
}

void run_p_mean_variance(Case& c) {
  const Var model_output = c.image("model_output");
  const PMeanVariance p =
      read_process(c).p_mean_variance(c.image("x_t"), c.integer_input("t"), model_output, c.flag("clip"));
  c.output_image("mean", p.mean.value());
  c.output_image("variance", p.variance.value());
  c.output_image("log_variance", p.log_variance.value());
  c.output_image("pred_x0", p.pred_x0.value());
}

}  // namespace

Kinds process_kinds() {
  return {{"q_sample", run_q_sample}, {"q_posterior", run_q_posterior}, {"p_mean_variance", run_p_mean_variance}};
}

}  // namespace reverie::inline REVERIE_PRECISION
