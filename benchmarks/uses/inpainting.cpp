// Prints a table of docs/editing.md: the mean and the spread of an inpainted value, given one that it depends on.
#include <cstdio>

#include "benchmarks/uses/inpaint_moments.h"

using namespace reverie;

int main() {
  constexpr Index step_counts[] = {25, 100};
  const InpaintMoments exact = exact_moments();
  std::printf("| sampler | method | repetitions | part, steps |");
  for (const Index steps : step_counts)
    std::printf(" evaluations, %d steps | error of the mean | spread |", static_cast<int>(steps));
  std::printf("\n|---|---|---|---|---|---|---|---|---|---|\n");
  const Inpainting ways[] = {{.method = "masked"},
                             {.method = "repaint", .draws = 3},
                             {.method = "repaint", .draws = 10},
                             {.method = "repaint", .draws = 10, .length = 1}};
  for (const char* sampler : {"ddim", "ddpm", "dpmpp_2m_sde"}) {
    for (const Inpainting& way : ways) {
      std::printf("| %s | %s |", sampler, way.method.c_str());
      if (way.method == "repaint") {
        std::printf(" %d | %s |", static_cast<int>(way.draws), way.length > 0 ? "1" : "a tenth of all");
      } else {
        std::printf(" | |");
      }
      for (const Index steps : step_counts) {
        const InpaintMoments moments = inpaint_moments(way, sampler, {}, steps);
        std::printf(" %d | %+.2f | %.2f |", static_cast<int>(moments.steps),
                    (moments.mean - exact.mean) / exact.deviation, moments.deviation / exact.deviation);
      }
      std::printf("\n");
    }
  }
}
