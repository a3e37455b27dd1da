#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "diffusion/model/model.h"
#include "diffusion/tables/table.h"

namespace reverie::inline REVERIE_PRECISION {

/// How images are scored under a model of healthy ones: an image that the model can't restore is anomalous.
struct DetectOptions {
  std::vector<std::string> scores = {"denoising"};  ///< rows of `anomaly_scores`
  std::vector<double> levels = {};  ///< of noise, shares of the chain in (0, 1); empty: each score's own
  Index draws = 1;                  ///< of noise, at each level
  std::string noise = {};           ///< a row of `noises`; empty: the model's own
  std::string pooling = "mean";     ///< a row of `poolings`
  double smoothing = 0;  ///< standard deviation, in pixels, of the Gaussian that maps are smoothed with; 0 for none
  Index steps = 50;      ///< of the whole chain: sampling steps of `partial`, terms of `bound`
  bool clip = true;      ///< clamp predicted images to [-1, 1]
  std::uint64_t seed = 0;
};

/// A row of the table of scores. Each consists of components: one for each level and draw of noise.
struct AnomalyScore {
  const char* name;
  const char* summary;
  std::vector<double> levels;  ///< the default ones; empty for a score of the whole chain, which has no map
};
/// partial: noises an image to a level, samples from there by DDIM, and compares: the squared error is the map.
/// denoising: the same with the denoiser's output, from one evaluation. bound: the variational bound, bits/dim.
/// [Wyatt22], [Graham23]
std::span<const AnomalyScore> anomaly_scores();

/// A row of the table of poolings: how a map [H,W] becomes an image's score.
struct Pooling {
  const char* name;
  const char* summary;
  double (*score)(std::span<const real> map, Index height, Index width);
};
std::span<const Pooling> poolings();

/// A component's mean and standard deviation over healthy images.
struct Standard {
  double mean = 0, deviation = 1;
};

/// The scores of N images, larger for anomalous ones.
struct Detection {
  std::vector<double> scores;      ///< [N], the mean of the standardised components; empty if they can't be compared
  Tensor maps;                     ///< [N,H,W], likewise; undefined if no component has a map
  Tensor healed;                   ///< [N,H,W,C], the mean restored image of the first score with a map
  std::vector<std::string> names;  ///< of the components: "denoising at 0.1"
  std::vector<std::vector<double>> values;  ///< of each component, [N], not standardised
  Index evaluations = 0;                    ///< function evaluations (NFE) per image
};

/// Scores images. All images get the same noise, so a score is a function of the image, the model, and the options.
/// `standards`, from `standards_of`, puts components on one scale. Without them, a detection of several kinds of score
/// has the components' values alone, because their units differ.
/// A model with classes or captions is evaluated without them. `progress` as for `generate`. Throws as
/// `check_detection`, UsageError for images of another shape, and Error, naming the image, if a value is NaN or
/// infinite.
Detection detect(const DiffusionModel& model, const Dataset& images, const DetectOptions& options,
                 std::span<const Standard> standards = {}, const std::function<bool(double)>& progress = nullptr);

/// Throws UsageError for options out of range, and for a model that can't be evaluated without a class.
void check_detection(const DiffusionModel& model, const DetectOptions& options);
/// Throws UsageError, naming `where`, for samples of another shape than the model's.
void require_images(const DiffusionModel& model, const Dataset& images, const std::string& where);

/// The standards of a detection's components over the images of these rows, at least two. Throws UsageError, naming the
/// component, if its values are all the same.
std::vector<Standard> standards_of(const Detection& healthy, std::span<const Index> rows);
/// The scores of a detection's images under other standards.
std::vector<double> standardised_scores(const Detection& detection, std::span<const Standard> standards);

}  // namespace reverie::inline REVERIE_PRECISION
