#pragma once
#include <optional>
#include <string>
#include <vector>

#include "apps/cli.h"
#include "apps/files.h"
#include "apps/request.h"

namespace reverie::inline REVERIE_PRECISION {

/// What samples are made from, if not from new noise: flags of `reverie sample`.
struct EditFlags {
  std::string encode, from, inpaint, mask, start, upscale;
  std::vector<std::string> interpolate;
  double strength = 0.6;
  std::string inpaint_method;
  Index repaint_draws = 0, repaint_length = 0;
};
/// Adds the flags to a command; `flags` must outlive it.
void add_editing(CLI::App* command, EditFlags& flags);
/// Throws UsageError for flags that contradict one another, or have no effect.
void check_editing(const CLI::App* command, const EditFlags& flags);
/// The files that the flags read.
std::vector<Input> inputs_of(const EditFlags& flags);

/// The pictures or points that samples are made from.
struct EditSource {
  /// Of each sample (--interpolate: of both ends), grey where it is not known; undefined if there are none.
  Tensor x0 = {};
  std::vector<Index> labels = {};          ///< the classes of x0, as the model has them; empty if they are unknown
  std::vector<std::string> captions = {};  ///< likewise
};
/// Reads what the flags name, checks that it fits the model, and completes the request: the number of samples (`count`,
/// or as many as there are), what they start from, their classes and prompts. Throws UsageError naming flag and file.
EditSource read_source(const EditFlags& flags, std::optional<Index> count, const SamplingFlags& sampling,
                       const DiffusionModel& model, SampleRequest& request);
/// Describes the editing, for printing and for the samples' file: ", from a.png, strength 0.6".
std::string in_words(const EditFlags& flags, const SampleRequest& request);

}  // namespace reverie::inline REVERIE_PRECISION
