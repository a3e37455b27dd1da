#include "diffusion/samplers/sigmas.h"

#include <cmath>

namespace reverie::inline REVERIE_PRECISION {
namespace {

// f(r) at n equidistant r from 0 to 1; a single one is at 0, the noisiest.
template <class F>
std::vector<double> along(Index n, F f) {
  std::vector<double> values;
  for (Index i = 0; i < n; ++i) values.push_back(f(n == 1 ? 0 : static_cast<double>(i) / static_cast<double>(n - 1)));
  return values;
}

// Equidistant in sigma^(1/rho); rho = 7 puts most sampling steps near the data.
// [Karras22] eq. 5
std::vector<double> karras(Index n, const OptionValues& values) {
  const double rho = values.at("rho");
  const double first = std::pow(values.at("sigma_max"), 1 / rho), last = std::pow(values.at("sigma_min"), 1 / rho);
  return along(n, [=](double r) { return std::pow(first + r * (last - first), rho); });
}

// ln sigma = (1 - r)^rho ln(sigma_max / sigma_min) + ln sigma_min
std::vector<double> polyexponential(Index n, const OptionValues& values) {
  const double rho = values.at("rho"), last = std::log(values.at("sigma_min"));
  const double range = std::log(values.at("sigma_max")) - last;
  return along(n, [=](double r) { return std::exp(std::pow(1 - r, rho) * range + last); });
}

// Equidistant in ln sigma: polyexponential with rho = 1.
std::vector<double> exponential(Index n, const OptionValues& values) {
  OptionValues straight = values;
  straight["rho"] = 1;
  return polyexponential(n, straight);
}

// The variance-preserving SDE at equidistant times from 1 to eps_s.
// [Karras22] table 1
std::vector<double> vp(Index n, const OptionValues& values) {
  const double beta_d = values.at("beta_d"), beta_min = values.at("beta_min"), eps_s = values.at("eps_s");
  return along(n, [=](double r) {
    const double t = 1 + r * (eps_s - 1);
    return std::sqrt(std::expm1(beta_d * t * t / 2 + beta_min * t));
  });
}

// Equidistant in the flow's u = sigma / (1 + sigma), including the final 0.
// [Liu23]
std::vector<double> flow(Index n, const OptionValues& values) {
  const double sigma_max = values.at("sigma_max"), first = sigma_max / (1 + sigma_max);
  std::vector<double> sigmas;
  for (Index i = 0; i < n; ++i) {
    const double u = first * static_cast<double>(n - i) / static_cast<double>(n);
    sigmas.push_back(u / (1 - u));
  }
  return sigmas;
}

}  // namespace

std::span<const SigmaGrid> sigma_grids() {
  const OptionInfo sigma_min{"sigma_min", 0.002, "the last before 0"}, sigma_max{"sigma_max", 80, "the first"};
  static const std::vector<SigmaGrid> table = {
      {"karras",
       "equidistant in sigma^(1/rho) [Karras22]",
       {sigma_min, sigma_max, {"rho", 7, "larger spends more steps on little noise"}},
       karras},
      {"exponential", "equidistant in the logarithm of sigma", {sigma_min, sigma_max}, exponential},
      {"polyexponential",
       "the logarithm of sigma falls like a power",
       {sigma_min, sigma_max, {"rho", 1, "that power"}},
       polyexponential},
      {"vp",
       "the variance-preserving SDE at equidistant times",
       {{"beta_d", 19.9, "how much beta rises"},
        {"beta_min", 0.1, "beta at time 0"},
        {"eps_s", 1e-3, "the last time before 0"}},
       vp},
      {"flow", "equidistant along the straight lines of flow matching", {sigma_max}, flow},
  };
  return table;
}

std::vector<double> make_sigmas(const std::string& name, Index n, const OptionValues& given) {
  const SigmaGrid& grid = find_line("sigma grid", sigma_grids(), name);
  constexpr Index most = 1'000'000;  // as for a chain
  if (n < 1 || n > most) throw UsageError("sigma grid ", name, ": ", n, " steps; it takes from 1 to ", most);
  std::vector<double> sigmas = grid.sigmas(n, complete("sigma grid " + name, grid.options, given));
  sigmas.push_back(0);
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    if (!(std::isfinite(sigmas[i]) && sigmas[i] > sigmas[i + 1])) {
      throw UsageError("sigma grid ", name, ": value ", i, " is ", sigmas[i], " and the next is ", sigmas[i + 1],
                       "; its parameters have to give finite values that descend to above 0");
    }
  }
  return sigmas;
}

}  // namespace reverie::inline REVERIE_PRECISION
