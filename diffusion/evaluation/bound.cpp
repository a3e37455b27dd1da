#include "diffusion/evaluation/bound.h"

namespace reverie::inline REVERIE_PRECISION {

BoundTerm bound_term(const Process& process, const NetworkFunction& network, const Tensor& x0, Timesteps t,
                     const Tensor& noise, bool clip, Cdf cdf) {
  const Var x_t = process.q_sample(x0, t, noise);
  const NetworkOutput output =
      split_output(network(x_t, process.original_steps(t)), x_t.shape(), process.variance_type);
  const VbTerm term = vb_term(process, x0, x_t, t, output, clip, cdf);
  const Var eps = process.eps_from_x0(x_t, t, term.pred_x0);
  return {term.bits.value(), mean_per_sample(square(eps - noise)).value(),
          mean_per_sample(square(term.pred_x0 - x0)).value()};
}

// L_T + L_{T-1} + ... + L_0.
// [Ho20] eq. 5
VariationalBound variational_bound(const Process& process, const NetworkFunction& network, const Tensor& x0,
                                   const std::function<Tensor(Index t)>& noise, bool clip) {
  const Index N = x0.extent(0), T = process.schedule.steps();
  VariationalBound bound;
  bound.prior = process.prior_kl(x0).value();
  bound.total = Tensor::uninitialized({N});
  for (Tensor* table : {&bound.vb, &bound.mse, &bound.x0_mse}) *table = Tensor::uninitialized({N, T});
  std::vector<double> sums(bound.prior.values().begin(), bound.prior.values().end());  // T may be 1000: add in double
  for (Index t = T - 1; t >= 0; --t) {
    const std::vector<Index> steps(N, t);
    const Tensor drawn = noise(t);
    const BoundTerm term = bound_term(process, network, x0, steps, drawn, clip);
    if (t == 0) bound.exact_decoder = bound_term(process, network, x0, steps, drawn, clip, Cdf::exact).vb;
    for (Index n = 0; n < N; ++n) {
      bound.vb[n * T + t] = term.vb[n];
      bound.mse[n * T + t] = term.mse[n];
      bound.x0_mse[n * T + t] = term.x0_mse[n];
      sums[n] += static_cast<double>(term.vb[n]);
    }
  }
  for (Index n = 0; n < N; ++n) bound.total[n] = static_cast<real>(sums[n]);
  return bound;
}

}  // namespace reverie::inline REVERIE_PRECISION
