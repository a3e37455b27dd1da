// Prints a table of docs/editing.md: the mean and the spread of an inpainted value, given one that it depends on.
#include <cstdio>

#include "benchmarks/uses/inpaint_moments.h"

using namespace reverie;

int main() {
  const InpaintMoments exact = exact_moments();
  std::printf("| method | sampler | steps | repetitions | sampling steps in all | error of the mean | spread |\n");
  std::printf("|---|---|---|---|---|---|---|\n");
  struct Way {
    const char *label, *sampler;
    OptionValues parameters;
  };
  const Way ways[] = {{"ddim", "ddim", {}},
                      {"ddim, eta 1", "ddim", {{"eta", 1}}},
                      {"ddpm", "ddpm", {}},
                      {"dpmpp_2m_sde", "dpmpp_2m_sde", {}}};
  const auto row = [&](const Inpainting& how, const Way& way, Index steps) {
    const InpaintMoments moments = inpaint_moments(how, way.sampler, way.parameters, steps);
    std::printf("| %s | %s | %d | %d | %d | %+.3f | %.3f |\n", how.method.c_str(), way.label, static_cast<int>(steps),
                static_cast<int>(how.method == "repaint" ? how.draws : 1), static_cast<int>(moments.steps),
                (moments.mean - exact.mean) / exact.deviation, moments.deviation / exact.deviation);
  };
  for (const Way& way : ways)
    for (const Index steps : {25, 100}) {
      row({.method = "masked"}, way, steps);
      for (const Index draws : {1, 3, 10}) row({.method = "repaint", .draws = draws}, way, steps);
    }
}
