#include <algorithm>
#include <cmath>

#include "benchmarks/reference/kinds.h"
#include "benchmarks/reference/setup.h"
#include "diffusion/evaluation/gaussian_oracle.h"
#include "diffusion/formulations/edm.h"
#include "diffusion/formulations/flow.h"
#include "diffusion/formulations/loss_weights.h"
#include "diffusion/process/timestep_sampler.h"
#include "diffusion/samplers/flow_solvers.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void run_edm_precond(Case& c) {
  std::vector<double> c_skip, c_out, c_in, c_noise, loss_weight;
  for (const double sigma : c.number_input("sigma")) {
    const EdmPreconditioning at = edm_preconditioning(sigma, c.number("sigma_data"));
    c_skip.push_back(at.c_skip);
    c_out.push_back(at.c_out);
    c_in.push_back(at.c_in);
    c_noise.push_back(at.c_noise);
    loss_weight.push_back(at.loss_weight);
  }
  c.output("c_skip", c_skip);
  c.output("c_out", c_out);
  c.output("c_in", c_in);
  c.output("c_noise", c_noise);
  c.output("loss_weight", loss_weight);
}

void run_interpolate(Case& c) {
  const FlowPoint point = flow_interpolate(c.image("x0"), c.image("noise"), c.number_input("u"));
  c.output_image("x_t", point.x_u.value());
  c.output_image("target", point.target.value());
}

// The toy denoiser `wave` as a velocity: a x + b cos(u + x).
Velocity read_velocity(const Case& c) {
  if (c.text("model") != "wave") throw Error("toy velocity `", c.text("model"), "` is not known, only `wave` is");
  return [a = c.number("a"), b = c.number("b")](const Var& x, double u) {
    Tensor velocity = Tensor::uninitialized(x.shape());
    std::transform(x.value().values().begin(), x.value().values().end(), velocity.data(), [=](real value) {
      const double at = static_cast<double>(value);
      return static_cast<real>(a * at + b * std::cos(u + at));
    });
    return Var(velocity);
  };
}

void run_flow_euler(Case& c) {
  c.output_image("sample", flow_euler(read_velocity(c), c.image("x"), c.number_input("u")).value());
}

void run_flow_heun(Case& c) {
  c.output_image("sample", flow_heun(read_velocity(c), c.image("x"), c.number_input("u")).value());
}

void run_logit_normal(Case& c) {
  std::vector<double> density;
  for (const double u : c.number_input("u")) density.push_back(logit_normal_density(u, c.number("m"), c.number("s")));
  c.output("density", density);
}

void run_loss_weight(Case& c) {
  const LossWeight& weight = find_line("loss weight", loss_weights(), c.text("weighting"));
  c.output("weight", make_loss_weights(weight.name, read_schedule(c).alphas_cumprod, mean_type(c.text("mean_type")),
                                       read_parameters(c, weight.options)));
}

void run_timestep_sampler(Case& c) {
  LossSecondMoment sampler(c.integer("T"), c.integer("history"), c.number("uniform_prob"));
  c.output("weights_initial", sampler.probabilities());
  const std::vector<std::vector<Index>> t = c.integer_steps("t");
  const std::vector<double> losses = c.number_input("loss");
  auto next = losses.begin();
  for (const std::vector<Index>& batch : t) {
    std::vector<double> u;
    for (const Index step : batch) u.push_back(sampler.middle(step));
    sampler.observe(u, std::span(next, batch.size()));
    next += std::ssize(batch);
  }
  c.output("weights", sampler.probabilities());
}

void run_elbo_gauss(Case& c) {
  const NoiseSchedule schedule = read_schedule(c);
  const double mu = c.number("mu"), s = c.number("s");
  const GaussianVariance& variance = find_line("variance", gaussian_variances(), c.text("var_type"));
  const GaussianBound bound = gaussian_bound(schedule, mu, s, variance.variances(schedule, s));
  c.output("x0_mse", bound.x0_mse);
  c.output("eps_mse", bound.eps_mse);
  c.output("vb", bound.vb);
  c.output("prior", std::vector<double>{bound.prior});
  c.output("total", std::vector<double>{bound.total});
}

}  // namespace

Kinds formulation_kinds() {
  return {{"edm_precond", run_edm_precond},
          {"flow_match/interpolate", run_interpolate},
          {"flow_match/euler", run_flow_euler},
          {"flow_match/heun", run_flow_heun},
          {"flow_match/logit_normal", run_logit_normal},
          {"loss_weight", run_loss_weight},
          {"timestep_sampler", run_timestep_sampler},
          {"elbo_gauss", run_elbo_gauss}};
}

}  // namespace reverie::inline REVERIE_PRECISION
