#pragma once
#include "diffusion/samplers/sampler.h"

namespace reverie::inline REVERIE_PRECISION {

/// A row of the table of inpainting methods. Both replace the known part of x by x_0 with noise of the level, whenever
/// the network is evaluated, so that the part to draw is denoised beside it. They work with every sampler.
struct InpaintMethod {
  const char* name;
  const char* summary;
  bool repeats;  ///< noises each part of the way again and repeats it, so that the drawn part adapts to the known one
};
/// `repaint` [Lugmayr22], with new noise each time, and `masked`, once through with the noise of x_T.
std::span<const InpaintMethod> inpaint_methods();

/// The known part of samples, and how to draw the rest.
struct Inpainting {
  Tensor known = {};  ///< x_0 of each sample, [N,...,C]; undefined for no inpainting
  Tensor mask = {};   ///< 1 where a sample is drawn, 0 where it is known; its rows broadcast to those of `known`
  std::string method = "repaint";
  Index draws = 10;  ///< repaint: how often each part of the way is gone, at least 1 ([Lugmayr22]: r)
  Index length = 0;  ///< repaint: its length in sampling steps (j); 0: a tenth of all, at least one

  /// The known part of samples first, ..., last - 1.
  Inpainting rows(Index first_row, Index last_row) const;
};

/// Throws UsageError for an unknown method, numbers out of range, and a mask that doesn't fit.
void check_inpainting(const Inpainting& inpainting, Index steps);
/// The number of sampling steps that inpainting performs for `steps` of the sampler.
Index inpainting_steps(const Inpainting& inpainting, Index steps);

/// Runs the sampler like Sampler::sample, with the known part given: the result has its values there, to the bit.
/// [Lugmayr22] Alg. 1
Tensor inpaint(const Sampler& sampler, const Sampling& sampling, const Tensor& x_T, const Inpainting& inpainting);

}  // namespace reverie::inline REVERIE_PRECISION
