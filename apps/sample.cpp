// reverie sample: draws samples from a checkpoint, new ones or from pictures.
#include <cmath>
#include <iomanip>
#include <iostream>

#include "apps/editing.h"
#include "apps/files.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "apps/request.h"
#include "apps/trajectory.h"
#include "data/atomic_file.h"
#include "data/grid.h"
#include "data/npy.h"
#include "diffusion/evaluation/comparison.h"
#include "diffusion/uses/edit.h"
#include "tensor/gemm.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string checkpoint, weights, classifier, noise, out, products, memory, trajectory, filmstrip,
      filmstrip_shows = "x_t";
  double classifier_scale = 1;
  std::optional<Index> count;
  SamplingFlags flags;
  EditFlags edit;
};

// Encodes samples to noise, each with its own class or caption.
Tensor encoded(const EditSource& source, const DiffusionModel& model, SampleRequest request) {
  request.count = source.x0.extent(0);
  request.label = -1;
  request.labels = source.labels;
  request.captions = source.captions;
  Progress progress;
  return encode(model, source.x0, request, progress.reporter(concat("encoding ", request.count)));
}

void write_noise(const std::string& path, const Tensor& x_T) {
  write_atomically(path, [&](const std::string& temporary) {
    Hdf5File file = Hdf5File::create(temporary);
    file.write_tensor("x_T", x_T);
    file.close();
  });
}

double root_mean_square(const Tensor& x) {
  double squares = 0;
  for (const real value : x.values()) squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares / static_cast<double>(x.size()));
}

// Draws each image beside its reconstruction: an even number of columns.
Picture pairs(const Tensor& a, const Tensor& b) {
  Tensor both = Tensor::uninitialized(a.shape().with(0, 2 * a.extent(0)));
  for (Index i = 0; i < a.extent(0); ++i) {
    both.rows(2 * i, 2 * i + 1).copy_from(a.rows(i, i + 1));
    both.rows(2 * i + 1, 2 * i + 2).copy_from(b.rows(i, i + 1));
  }
  const auto pairs_in_a_row = static_cast<Index>(std::ceil(std::sqrt(static_cast<double>(a.extent(0)) / 2)));
  return grid(both, 2 * pairs_in_a_row);
}

// Draws the samples in a row between the two pictures.
Picture strip(const Tensor& ends, const Tensor& samples) {
  const Var all = concat({ends.rows(0, 1), samples, ends.rows(1, 2)}, 0);
  return grid(drawn_channels(all.value()), samples.extent(0) + 2);
}

// The samples as NumPy's arrays: `images` (uint8) or `points`, and `labels`.
std::map<std::string, NpyArray> arrays_of(const Samples& samples) {
  std::map<std::string, NpyArray> arrays;
  if (samples.x.rank() == 4) {
    const ImageSet set = ImageSet::from(samples.x);
    arrays["images"] = NpyArray::of({set.count, set.height, set.width, set.channels}, set.images);
  } else {
    arrays["points"] = NpyArray::of(samples.x);
  }
  if (!samples.labels.empty()) arrays["labels"] = NpyArray::of({std::ssize(samples.labels)}, samples.labels);
  return arrays;
}

void write_samples(const Options& options, const EditSource& source, const Samples& samples, const std::string& how) {
  const bool images = samples.x.rank() == 4;
  if (options.out.ends_with('/')) return write_pictures(options.out, samples.x);
  if (options.out.ends_with(".npz")) return write_npz(options.out, arrays_of(samples));
  if (!options.out.ends_with(".png")) {
    const auto set = samples.as_dataset();
    set->name = "samples";
    set->source = "reverie sample: " + how;
    set->licence = "made by a model; the licence of its training data may apply";
    return set->save(options.out);
  }
  if (!options.edit.interpolate.empty()) return write_png(options.out, strip(source.x0, samples.x));
  const bool beside = images && source.x0.defined();
  write_png(options.out, beside ? pairs(drawn_channels(source.x0), drawn_channels(samples.x)) : picture_of(samples.x));
}

Shape shape_of(const Shape& sample, Index count) {
  std::vector<Index> extents = {count};
  extents.insert(extents.end(), sample.begin(), sample.end());
  return Shape(extents);
}

void check_options(const Options& options, const CLI::App* command) {
  require_used(command, "--classifier-scale", !options.classifier.empty(), "without --classifier");
  require_used(command, "--noise", !options.edit.encode.empty(), "without --encode");
  require_used(command, "--filmstrip-shows", !options.filmstrip.empty(), "without --filmstrip");
  check_editing(command, options.edit);
}

constexpr Index filmstrip_rows = 8, filmstrip_points = 2000, filmstrip_columns = 10;

void sample(Options options, const CLI::App* command) {
  check_options(options, command);
  const bool picture = options.out.ends_with(".png"), folder = options.out.ends_with('/');
  LoadedModel loaded = load(options.checkpoint, options.weights);
  std::vector<Input> inputs = inputs_of(options.edit);
  inputs.insert(inputs.end(), {{"--checkpoint", options.checkpoint},
                               {"--classifier", options.classifier},
                               {"--prompts", options.flags.prompt_file},
                               {"training", loaded.config.data.train},
                               {"training", loaded.config.data.validation}});
  check_outputs({{"--out", options.out, {".png", ".h5", ".npz", "/"}, data_set},
                 {"--noise", options.noise, {".h5"}, other_hdf5},
                 {"--filmstrip", options.filmstrip, {".png"}},
                 {"--trajectory", options.trajectory, {".h5"}, other_hdf5}},
                inputs);
  const Shape sample_shape = loaded.model.facts().sample_shape;
  if (sample_shape.rank() != 3) {
    const std::string because = "is for pictures; this model draws points";
    if (folder) throw UsageError("--out ", options.out, ": ", because);
    if (!options.edit.interpolate.empty()) throw UsageError("--interpolate: ", because);
    if (!options.edit.upscale.empty()) throw UsageError("--upscale: ", because);
  }
  if (!options.products.empty()) loaded.config.kernels.products = options.products;
  loaded.model.set_kernels(kernel_choice_of(loaded.config));
  const auto classifier = options.classifier.empty() ? nullptr : read_classifier(options.classifier);
  LabelGuidance guidance;
  if (classifier) guidance = guidance_by(*classifier, loaded.model, options.classifier_scale);
  const bool inverts = !options.edit.encode.empty() || !options.edit.interpolate.empty();
  if ((inverts || !options.edit.start.empty()) && !options.flags.sampler) options.flags.sampler = "ddim";
  SampleRequest request = request_of(options.flags, loaded, guidance);
  const EditSource source = read_source(options.edit, options.count, options.flags, loaded.model, request);
  check_request(loaded.model, request);
  if (picture) require_picture(sample_shape, request.count * (source.x0.defined() ? 2 : 1));
  std::optional<Filmstrip> film;
  if (!options.filmstrip.empty()) {
    film.emplace(sample_shape, std::min(request.count, sample_shape.rank() == 3 ? filmstrip_rows : filmstrip_points),
                 filmstrip_columns, sampling_steps(loaded.model, request),
                 options.filmstrip_shows == "x_t" ? Filmstrip::Shows::x_t : Filmstrip::Shows::pred_x0);
  }

  const auto levels = noise_levels(loaded.model, find_sampler(request.sampler), request);
  if (!options.memory.empty()) request.at_once = samples_within(loaded.model, request, bytes_of(options.memory));

  note_interrupts();
  prepare_blas();
  Progress progress;
  Tensor x_T;
  Samples samples;
  const std::string how =
      concat(loaded.origin, ", ", in_words(loaded.model, request)) + in_words(options.edit, request) +
      (loaded.model.kernels().operands == kernels::OperandType::bfloat16 ? ", products in bfloat16" : "");
  const auto draw = [&](const Trajectory* trajectory) {
    if (film || trajectory != nullptr) {
      request.observe = [&, trajectory](Index first, Index step, const Tensor& x_t, const Tensor& pred_x0) {
        if (film) film->observe(first, step, x_t, pred_x0);
        if (trajectory != nullptr) trajectory->observe(first, step, x_t, pred_x0);
      };
    }
    samples = generate(loaded.model, request, progress.reporter(concat("sampling ", request.count)));
  };
  try {
    if (inverts) {
      x_T = encoded(source, loaded.model, request);
      request.start = options.edit.encode.empty() ? slerp(x_T, request.count) : x_T;
    }
    if (options.trajectory.empty()) {
      draw(nullptr);
    } else {
      write_atomically(options.trajectory, [&](const std::string& temporary) {
        const Trajectory trajectory(temporary, levels, shape_of(sample_shape, request.count), how);
        draw(&trajectory);
      });
    }
  } catch (const Interrupted&) {
    progress.note("stopped; nothing was written");
    throw;
  }
  write_samples(options, source, samples, how);
  if (!options.noise.empty()) write_noise(options.noise, x_T);
  if (film) write_png(options.filmstrip, picture_of_film(film->frames(), film->columns()));
  progress.clear();
  std::cout << printable(options.out) << ": " << request.count << " samples of " << printable(how) << "; "
            << samples.evaluations << " evaluations of the network each; " << progress.elapsed()
            << std::setprecision(3);
  if (samples.x.rank() == 4) std::cout << "; mean brightness " << mean_of(brightness(samples.x));
  if (picture || folder || film) std::cout << picture_note(sample_shape);
  std::cout << "\n";
  if (inverts) {
    std::cout << "  encoded to noise x_T of deviation " << root_mean_square(x_T) << " (the model expects 1)";
    const Tensor ends =
        options.edit.encode.empty()
            ? concat({samples.x.rows(0, 1), samples.x.rows(request.count - 1, request.count)}, 0).value()
            : samples.x;
    std::cout << "; the decoded samples differ by " << root_mean_square((Var(ends) - source.x0).value())
              << " (root mean square, data in [-1, 1])\n";
  }
  if (!options.noise.empty()) std::cout << printable(options.noise) << ": x_T\n";
  if (!options.trajectory.empty()) {
    std::cout << printable(options.trajectory) << ": every x_t and predicted x_0 of " << levels.size() - 1
              << " sampling steps\n";
  }
  if (film) {
    std::cout << printable(options.filmstrip) << ": "
              << (options.filmstrip_shows == "x_t" ? "x_t" : "the predicted x_0") << " after " << film->columns()
              << " of the sampling steps" << (samples.x.rank() == 4 ? ", a sample in each row\n" : "\n");
  }
}

}  // namespace

void add_sample(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("sample", "Draw new samples from a trained model");
  add_model(command, options->checkpoint, options->weights);
  command->get_option("--checkpoint")->required();
  command->add_option("--count", options->count, "Number of samples [64]")->type_name("N")->check(positive);
  command
      ->add_option("--out", options->out,
                   "X.png for a picture of all samples, X.h5 for an image set or point set, X.npz for NumPy, FOLDER/ "
                   "(new or empty) for "
                   "single pictures 0001.png, 0002.png, ...")
      ->type_name("FILE|FOLDER/")
      ->required();
  add_sampling(command, options->flags);
  command
      ->add_option("--classifier", options->classifier,
                   "Guide samples to their class with this classifier from `reverie classifier --noisy`; "
                   "also works for models without classes")
      ->type_name("FILE");
  command
      ->add_option("--classifier-scale", options->classifier_scale,
                   "Scale of the classifier's gradient; larger gives clearer, less varied samples [1]")
      ->type_name("S")
      ->check(finite);
  add_editing(command, options->edit);
  command->add_option("--noise", options->noise, "With --encode: write the noise x_T to this HDF5 file")
      ->type_name("FILE");
  command
      ->add_option("--filmstrip", options->filmstrip,
                   "Also draw how the first 8 samples emerge: a row each, a column for every tenth of the steps; of "
                   "points, a panel for every tenth")
      ->type_name("X.png");
  command
      ->add_option("--filmstrip-shows", options->filmstrip_shows,
                   "What the film strip shows: x_t, or x_0 as predicted from it [x_t]")
      ->type_name("x_t|x_0")
      ->check(CLI::IsMember({"x_t", "x_0"}).description(""));
  command
      ->add_option("--trajectory", options->trajectory,
                   "Also write x_t and the predicted x_0 after every sampling step, with their noise levels, to this "
                   "HDF5 file (docs/seeing.md)")
      ->type_name("X.h5");
  command
      ->add_option(
          "--products", options->products,
          "Operands of matrix products: float, or bfloat16 (faster on CPUs that support it, errors up to 1e-2) "
          "[kernels.products]")
      ->type_name("KIND")
      ->check(CLI::IsMember({"float", "bfloat16"}).description(""));
  command
      ->add_option("--memory", options->memory,
                   "Use at most about this much memory, like 2G or 500M: draws fewer samples at a time [no limit]")
      ->type_name("SIZE")
      ->check(memory_size);
  add_threads(command);
  command->footer(sampler_list() +
                  "\nexample: reverie sample --checkpoint runs/demo/checkpoint.h5 --sampler ddim \\\n"
                  "             --steps 50 --count 64 --out new.png");
  command->callback([options, command] { sample(*options, command); });
}

}  // namespace reverie::inline REVERIE_PRECISION
