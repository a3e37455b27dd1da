#include "apps/editing.h"

#include <algorithm>
#include <array>

#include "data/classes.h"
#include "data/image_set.h"
#include "data/subset.h"
#include "tensor/decimal.h"
#include "tensor/finite.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

std::string pictures_of(const EditFlags& flags) {
  for (const std::string* path : {&flags.encode, &flags.from, &flags.inpaint, &flags.upscale})
    if (!path->empty()) return *path;
  return "";
}

// One picture as a set.
std::unique_ptr<Dataset> picture_set(const std::string& path) {
  const Picture picture = read_png(path);
  auto set = std::make_unique<ImageSet>();
  set->count = 1;
  set->height = picture.height, set->width = picture.width, set->channels = picture.channels;
  set->images = picture.pixels;
  return set;
}

// The shape of pictures that the model enlarges.
Shape small_shape(const DiffusionModel& model) {
  const Shape& sample = model.facts().sample_shape;
  const Index factor = model.low_resolution();
  return {sample[0] / factor, sample[1] / factor, sample[2]};
}

// Throws UsageError for samples of another shape than the model's, or, if it may `enlarge` them, a small one.
void require_sample_shape(const DiffusionModel& model, const Dataset& set, const std::string& path,
                          bool enlarge = false) {
  if (set.sample_shape() == model.facts().sample_shape) return;
  if (enlarge && set.sample_shape() == small_shape(model)) return;
  throw UsageError(path, ": has samples of shape ", set.sample_shape(), ", the model expects ",
                   model.facts().sample_shape, enlarge ? concat(" or ", small_shape(model)) : "");
}

// The masks of samples, 1 where they are drawn, [n,H,W,1].
Tensor masks_of(const EditFlags& flags, const Dataset& set, const std::vector<Index>& rows) {
  const Shape sample = set.sample_shape();
  const Index size = sample[0] * sample[1];
  Tensor mask = Tensor::uninitialized({std::ssize(rows), sample[0], sample[1], 1});
  std::string where = "--mask " + flags.mask;
  if (!flags.mask.empty()) {
    const Picture picture = with_channels(read_png(flags.mask), 1);
    if (picture.height != sample[0] || picture.width != sample[1]) {
      throw UsageError(where, ": is a picture of ", picture.height, "x", picture.width, ", for samples of ", sample[0],
                       "x", sample[1]);
    }
    for (Index i = 0; i < mask.size(); ++i) mask[i] = picture.pixels[i % size] >= 128 ? 1 : 0;
  } else {
    const auto* images = dynamic_cast<const ImageSet*>(&set);
    where = "--inpaint " + flags.inpaint;
    if (images == nullptr || images->masks.empty())
      throw UsageError(where, ": has no masks; --mask M.png says what to draw");
    for (Index i = 0; i < mask.size(); ++i) mask[i] = images->masks[rows[i / size] * size + i % size] != 0 ? 1 : 0;
  }
  const auto [least, greatest] = std::minmax_element(mask.values().begin(), mask.values().end());
  if (*greatest == 0) throw UsageError(where, ": is black all over, so nothing is drawn; white is what is drawn");
  if (*least == 1) throw UsageError(where, ": is white all over, so nothing is known; leave out --inpaint");
  return mask;
}

Tensor read_start(const std::string& path, const DiffusionModel& model, std::optional<Index> count) {
  const Hdf5File file = Hdf5File::open(path);
  if (!file.has("x_T")) {
    throw Error("--start ", path, ": has no dataset `x_T`; expects a file from `reverie sample --encode SET --noise ",
                "FILE`");
  }
  const Shape stored = file.shape("x_T"), &sample = model.facts().sample_shape;
  const bool fits = stored.rank() == sample.rank() + 1 && stored[0] > 0 &&
                    std::equal(sample.begin(), sample.end(), stored.begin() + 1);
  if (!fits) {
    throw UsageError("--start ", path, ": `x_T` has shape ", stored, "; the model expects [N,...] of samples of shape ",
                     sample);
  }
  if (count.value_or(0) > stored[0])
    throw UsageError("--count ", *count, ": ", path, " has only the noise of ", stored[0], " samples");
  const Tensor x_T = file.read_tensor("x_T").rows(0, count.value_or(stored[0]));
  require_finite("--start", x_T);
  return x_T;
}

// Both ends of an interpolation, with their classes and captions.
EditSource read_ends(const EditFlags& flags, const SamplingFlags& sampling, const DiffusionModel& model,
                     const SampleRequest& request) {
  EditSource ends;
  const Shape& sample = model.facts().sample_shape;
  std::vector<Index> extents = {2};
  extents.insert(extents.end(), sample.begin(), sample.end());
  ends.x0 = Tensor::uninitialized(Shape(extents));
  for (Index i = 0; i < 2; ++i) {
    const auto set = picture_set(flags.interpolate[i]);
    require_sample_shape(model, *set, flags.interpolate[i]);
    ends.x0.rows(i, i + 1).copy_from(samples_of(*set));
  }
  if (model.class_conditional()) {
    const std::vector<Index> classes = classes_of(sampling, model, request);
    if (classes.empty() || classes.size() > 2)
      throw UsageError("--interpolate: this model draws by class; expects the class of both pictures, --class K,L");
    ends.labels = {classes.front(), classes.back()};
  }
  return ends;
}

}  // namespace

void add_editing(CLI::App* command, EditFlags& flags) {
  command
      ->add_option("--from", flags.from,
                   "Image to image: noise this picture, or each of a set, and draw on from there; see --strength")
      ->type_name("X.png|SET");
  command
      ->add_option("--strength", flags.strength,
                   "With --from: the share of the chain that is noised and drawn again, above 0 and at most 1 [0.6]")
      ->type_name("S")
      ->check(finite);
  command
      ->add_option("--inpaint", flags.inpaint,
                   "Draw a part of this picture, or of each of a set, to match the rest, which stays as it is")
      ->type_name("X.png|SET");
  command
      ->add_option("--mask", flags.mask,
                   "With --inpaint: a picture that is white where to draw, black where to keep [the set's own masks]")
      ->type_name("M.png");
  command
      ->add_option("--inpaint-method", flags.inpaint_method,
                   "repaint: repeats parts of the way, so that both parts agree; masked: once through, ten times as "
                   "fast, less accurate [repaint]")
      ->type_name("NAME");
  command->add_option("--repaint-jumps", flags.repaint_draws, "How often repaint goes each part of the way [10]")
      ->type_name("N")
      ->check(positive);
  command
      ->add_option("--repaint-length", flags.repaint_length,
                   "Sampling steps of a part that repaint repeats [a tenth of all]")
      ->type_name("N")
      ->check(positive);
  command
      ->add_option("--interpolate", flags.interpolate,
                   "Encode two pictures to noise and decode the noises between; a .png shows a strip of --count [8]")
      ->type_name("A.png B.png")
      ->expected(2);
  command
      ->add_option(
          "--encode", flags.encode,
          "Encode these samples to noise with DDIM inversion and start from that: reconstructs them, or changes them "
          "with --class or guidance. A .png shows each beside its reconstruction")
      ->type_name("SET");
  command
      ->add_option("--upscale", flags.upscale,
                   "Enlarge this picture, or each of a set, with a model trained by model.low_resolution; pictures of "
                   "the model's own size are reduced first")
      ->type_name("SMALL.png|SET");
  command->add_option("--start", flags.start, "Start from the noise in this file, written by --noise")
      ->type_name("FILE");
}

void check_editing(const CLI::App* command, const EditFlags& flags) {
  std::string given;
  for (const char* way : {"--from", "--inpaint", "--interpolate", "--encode", "--start", "--upscale"}) {
    if (command->count(way) == 0) continue;
    if (!given.empty())
      throw UsageError(given, " and ", way, " contradict one another: both say what samples are made from; give one");
    given = way;
  }
  require_used(command, "--strength", !flags.from.empty(), "without --from");
  for (const char* option : {"--mask", "--inpaint-method", "--repaint-jumps", "--repaint-length"})
    require_used(command, option, !flags.inpaint.empty(), "without --inpaint");
  for (const char* option : {"--repaint-jumps", "--repaint-length"})
    require_used(command, option, flags.inpaint_method != "masked", "with --inpaint-method masked");
  if (!(flags.strength > 0 && flags.strength <= 1))
    throw UsageError("--strength ", flags.strength, ": must be above 0, and at most 1");
}

std::vector<Input> inputs_of(const EditFlags& flags) {
  std::vector<Input> inputs = {{"--from", flags.from},     {"--inpaint", flags.inpaint}, {"--mask", flags.mask},
                               {"--encode", flags.encode}, {"--start", flags.start},     {"--upscale", flags.upscale}};
  for (const std::string& path : flags.interpolate) inputs.push_back({"--interpolate", path});
  return inputs;
}

EditSource read_source(const EditFlags& flags, std::optional<Index> count, const SamplingFlags& sampling,
                       const DiffusionModel& model, SampleRequest& request) {
  EditSource source;
  const bool upscales = !flags.upscale.empty();
  if (upscales != (model.low_resolution() > 0)) {
    throw UsageError(upscales ? "--upscale: this model wasn't trained to enlarge pictures (model.low_resolution)"
                              : concat("--upscale is missing: this model enlarges pictures by a factor of ",
                                       model.low_resolution()));
  }
  request.count = count.value_or(flags.interpolate.empty() ? request.count : 8);
  Share share = Share::in_turn;
  if (!flags.start.empty()) {
    request.start = read_start(flags.start, model, count);
    request.count = request.start.extent(0);
  }
  if (!flags.interpolate.empty()) {
    source = read_ends(flags, sampling, model, request);
    share = Share::in_order;
    if (request.count < 2) throw UsageError("--count ", request.count, ": --interpolate expects at least 2, both ends");
  }
  if (const std::string path = pictures_of(flags); !path.empty()) {
    const bool one = flags.encode.empty() && path.ends_with(".png");
    const auto set = one ? picture_set(path) : open_dataset(path, toy_held_out);
    require_sample_shape(model, *set, path, upscales);
    if (!one && request.count > set->size()) {
      if (count) throw UsageError("--count ", *count, ": ", path, " has only ", set->size(), " samples");
      request.count = set->size();
    }
    const Subset subset(*set, one ? 1 : request.count);
    std::vector<Index> rows(static_cast<std::size_t>(request.count), 0), in_set = rows;
    for (Index i = 0; i < request.count && !one; ++i) rows[i] = i, in_set[i] = subset.rows()[i];
    source.x0 = subset.batch(rows);
    const bool own_class = sampling.label.empty() || !flags.encode.empty();
    if (upscales) {
      const Index factor = model.low_resolution();
      const bool small = set->sample_shape() == small_shape(model);
      request.small = small ? source.x0 : avg_pool2d(source.x0, factor, factor).value();
      source.x0 = model.picture_of_small(request.small);
    }
    if (model.class_conditional() && !one && own_class)
      source.labels = labels_among(subset, path, model.facts().class_names, "the model");
    if (model.text_conditional() && !flags.encode.empty()) {
      require_fits(model, subset, path);
      source.captions = subset.captions;
    }
    if (sampling.label.empty()) request.labels = source.labels;
    if (!flags.from.empty() && flags.strength < 1) {
      request.start = source.x0;
      request.strength = flags.strength;
    }
    if (!flags.inpaint.empty()) {
      if (set->sample_shape().rank() != 3) throw UsageError("--inpaint: is for pictures, this model learned points");
      request.inpaint.known = source.x0;
      request.inpaint.mask = masks_of(flags, *set, in_set);
      source.x0 = ((1 - Var(request.inpaint.mask)) * source.x0).value();  // grey where samples are drawn
      if (!flags.inpaint_method.empty()) request.inpaint.method = flags.inpaint_method;
      if (flags.repaint_draws > 0) request.inpaint.draws = flags.repaint_draws;
      request.inpaint.length = flags.repaint_length;
    }
  }
  add_classes(request, sampling, model, share);
  add_prompts(request, sampling, model, share);
  if (!flags.interpolate.empty() && model.text_conditional())
    source.captions = {request.captions.front(), request.captions.back()};
  return source;
}

std::string in_words(const EditFlags& flags, const SampleRequest& request) {
  if (!flags.encode.empty()) return ", from " + flags.encode;
  if (!flags.from.empty()) return concat(", from ", flags.from, ", strength ", decimal(flags.strength));
  if (!flags.upscale.empty()) return ", enlarging " + flags.upscale;
  if (!flags.start.empty()) return ", from the noise in " + flags.start;
  if (!flags.interpolate.empty()) return concat(", between ", flags.interpolate[0], " and ", flags.interpolate[1]);
  if (flags.inpaint.empty()) return "";
  std::string text = concat(", parts of ", flags.inpaint, " by ", request.inpaint.method);
  return text + (request.inpaint.method == "repaint" ? concat(", ", request.inpaint.draws, " times") : "");
}

}  // namespace reverie::inline REVERIE_PRECISION
