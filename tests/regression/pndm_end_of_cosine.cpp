// PNDM extrapolated the noise over the first step of a cosine chain too, where an error of eps is one of x_0 some
// thousand times as large: samples were ruined, however small the network's errors.
#include "diffusion/evaluation/gaussian_oracle.h"
#include "diffusion/samplers/sampler.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

TEST_CASE("PNDM gets through the end of a cosine chain, where hardly anything is left of the data") {
  const GaussianMixture data = gaussian_data(0.2, 0.4);
  const Tensor start = noise({50, 1});
  for (const char* steps : {"10", "20", "50"}) {
    const Process process(respace(make_schedule("cosine", 1000), steps), MeanType::eps, VarianceType::fixed_small);
    SamplerOptions options;
    options.clip = false;
    const Tensor got = find_sampler("pndm").sample(
        {.process = process, .network = chain_network(process, data.denoiser()), .options = options}, start.clone());
    CHECK(difference(got, (0.2 + 0.4 * Var(start)).value()) < 0.1);  // where the probability flow ends
  }
}
