#include "diffusion/samplers/inpaint.h"

#include <algorithm>
#include <cmath>

#include "diffusion/tables/table.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr InpaintMethod table[] = {
    {"repaint", "repeats parts of the way, so that both parts agree [Lugmayr22]", true},
    {"masked", "once through, the known part with its own noise: fast, but biased", false},
};

// The draws of noise beyond those of a single run of the sampler, by number.
constexpr Index of_known = Index{1} << 40, of_jumps = Index{1} << 41;

Index length_of(const Inpainting& inpainting, Index steps) {
  return inpainting.length > 0 ? inpainting.length : std::max<Index>(1, steps / 10);
}

}  // namespace

std::span<const InpaintMethod> inpaint_methods() { return table; }

Inpainting Inpainting::rows(Index first_row, Index last_row) const {
  Inpainting part = *this;
  part.known = known.rows(first_row, last_row);
  part.mask = mask.rows(first_row, last_row);
  return part;
}

void check_inpainting(const Inpainting& inpainting, Index steps) {
  if (!inpainting.known.defined()) return;
  find_line("inpainting method", inpaint_methods(), inpainting.method);
  constexpr Index most = 10'000;
  if (inpainting.draws < 1 || inpainting.draws > most)
    throw UsageError("inpainting: ", inpainting.draws, " draws of each part; expects 1 to ", most);
  if (inpainting.length < 0 || inpainting.length > steps)
    throw UsageError("inpainting: parts of ", inpainting.length, " sampling steps; expects 1 to ", steps,
                     ", the number of steps, or 0 for a tenth of them");
  const Shape &known = inpainting.known.shape(), &mask = inpainting.mask.shape();
  bool fits = inpainting.mask.defined() && mask.rank() == known.rank() && mask[0] == known[0];
  for (int axis = 1; fits && axis < known.rank(); ++axis) fits = mask[axis] == known[axis] || mask[axis] == 1;
  if (!fits) throw ShapeError("inpainting: the mask has shape ", mask, ", for samples of ", known);
  if (std::any_of(inpainting.mask.values().begin(), inpainting.mask.values().end(),
                  [](real value) { return value != 0 && value != 1; }))
    throw UsageError("inpainting: the mask has values other than 0 and 1");
}

Index inpainting_steps(const Inpainting& inpainting, Index steps) {
  if (!find_line("inpainting method", inpaint_methods(), inpainting.method).repeats) return steps;
  const Index first_part = std::min(length_of(inpainting, steps), steps);
  return first_part + inpainting.draws * (steps - first_part);
}

Tensor inpaint(const Sampler& sampler, const Sampling& sampling, const Tensor& x_T, const Inpainting& inpainting) {
  const bool repeats = find_line("inpainting method", inpaint_methods(), inpainting.method).repeats;
  const Var& known = inpainting.known;
  const Var& drawn = inpainting.mask;
  const Var kept = 1 - drawn;
  const SigmaScale scale(sampling.process.schedule);

  // x with its known part replaced by x_0 + sigma n, both times `factor`.
  Index evaluation = 0;
  const auto with_known = [&](const Var& x, double sigma, double factor) {
    const Tensor n = repeats ? sampling.noise(of_known + evaluation++) : x_T;
    return drawn * x + kept * (factor * known + factor * sigma * Var(n));
  };
  const auto in_chain = [&](const Var& x_t, double t) {
    const double sigma = scale.sigma(t);
    return with_known(x_t, sigma, 1 / std::sqrt(1 + sigma * sigma));
  };
  Sampling part = sampling;
  part.network = [&](const Var& x_t, std::span<const double> t) { return sampling.network(in_chain(x_t, t[0]), t); };
  if (sampling.denoise)
    part.denoise = [&](const Var& x, double sigma) { return sampling.denoise(with_known(x, sigma, 1), sigma); };
  if (sampling.classifier)
    part.classifier = [&](const Var& x_t, std::span<const double> t) {
      return sampling.classifier(in_chain(x_t, t[0]), t);
    };

  const std::vector<double> alpha_bar = alpha_bars(sampler, sampling.process.schedule, sampling.sigmas);
  const Index steps = std::ssize(alpha_bar) - 1, length = length_of(inpainting, steps);
  Tensor x = x_T;
  Index run = 0;
  // The first part starts from pure noise: repeating it would change nothing.
  for (part.first = 0; part.first < steps; part.first = part.last) {
    part.last = repeats ? std::min(part.first + length, steps) : steps;
    for (Index draw = 0; draw < (repeats && part.first > 0 ? inpainting.draws : 1); ++draw, ++run) {
      if (draw > 0) {  // noises x again, from the level of the part's end to that of its beginning
        const double share = alpha_bar[part.first] / alpha_bar[part.last];
        x = (std::sqrt(share) * Var(x) + std::sqrt(1 - share) * Var(sampling.noise(of_jumps + run))).value();
      }
      part.noise = [&, run](Index i) { return sampling.noise(2 * run * steps + i); };  // at most two a step
      x = sampler.sample(part, x);
    }
  }
  return (drawn * x + kept * known).value();
}

}  // namespace reverie::inline REVERIE_PRECISION
