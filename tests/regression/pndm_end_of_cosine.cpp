// PNDM extrapolated the noise in the first sampling step of a cosine chain, too. There an error in eps becomes an error
// in x_0 about a thousand times as large, so samples were ruined however small the network's errors were.
#include "diffusion/evaluation/gaussian_oracle.h"
#include "diffusion/samplers/sampler.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

TEST_CASE("PNDM samples correctly from the end of a cosine chain, where almost no data is left") {
  const GaussianMixture data = gaussian_data(0.2, 0.4);
  const Tensor start = noise({50, 1});
  for (const char* steps : {"10", "20", "50"}) {
    const Process process(respace(make_schedule("cosine", 1000), steps), MeanType::eps, VarianceType::fixed_small);
    SamplerOptions options;
    options.clip = false;
    const Tensor got = find_sampler("pndm").sample(
        {.process = process, .network = chain_network(process, data.denoiser()), .options = options}, start.clone());
    CHECK(difference(got, (0.2 + 0.4 * Var(start)).value()) < 0.1);  // the end point of the probability flow
  }
}
