// reverie sample: draws samples from a checkpoint, or encodes images to noise and decodes them.
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <iostream>

#include "apps/files.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "apps/request.h"
#include "data/atomic_file.h"
#include "data/grid.h"
#include "diffusion/evaluation/comparison.h"
#include "diffusion/evaluation/evaluation.h"
#include "tensor/gemm.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string checkpoint, weights, classifier, encode, noise, out, products;
  double classifier_scale = 1;
  Index count = 64;
  SamplingFlags flags;
};

// The samples given to --encode, and their encoding as noise.
struct Encoded {
  Tensor x0, x_T;
};

Encoded encode(const Options& options, const DiffusionModel& model, SampleRequest& request) {
  const auto set = open_dataset(options.encode, toy_held_out);
  require_fits(model, *set, options.encode);
  request.count = std::min(options.count, set->size());
  std::vector<Index> first(static_cast<std::size_t>(request.count));
  for (Index i = 0; i < request.count; ++i) first[i] = i;
  Encoded encoded{set->batch(first), {}};
  SampleRequest own = request;  // encode each sample with its own class
  own.label = -1;
  if (model.conditional()) own.labels.assign(set->labels.begin(), set->labels.begin() + request.count);
  if (request.label < 0) request.labels = own.labels;
  Progress progress;
  encoded.x_T = encode(model, encoded.x0, own, progress.reporter(concat("encoding ", request.count)));
  return encoded;
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

void sample(Options options) {
  const std::string suffix = std::filesystem::path(options.out).extension().string();
  if (suffix != ".png" && suffix != ".h5")
    throw UsageError("--out ", options.out, ": expects a name that ends in .png or .h5");
  if (!options.noise.empty() && options.encode.empty()) throw UsageError("--noise requires --encode");
  for (const std::string& path : {options.out, options.noise}) {
    if (!path.empty()) require_writable(path);
  }
  LoadedModel loaded = load(options.checkpoint, options.weights);
  if (suffix == ".png") require_picture(loaded.model.facts().sample_shape);
  if (!options.products.empty()) loaded.config.kernels.products = options.products;
  loaded.model.set_kernels(kernel_choice_of(loaded.config));
  const auto classifier = options.classifier.empty() ? nullptr : read_classifier(options.classifier);
  LabelGuidance guidance;
  if (classifier) guidance = guidance_by(*classifier, loaded.model, options.classifier_scale);
  if (!options.encode.empty() && !options.flags.sampler) options.flags.sampler = "ddim";
  SampleRequest request = request_of(options.flags, loaded, guidance);
  request.count = options.count;
  check_request(loaded.model, request);

  note_interrupts();
  prepare_blas();
  Progress progress;
  Encoded encoded;
  Samples samples;
  try {
    if (!options.encode.empty()) {
      encoded = encode(options, loaded.model, request);
      request.start = encoded.x_T;
    }
    samples = generate(loaded.model, request, progress.reporter(concat("sampling ", request.count)));
  } catch (const Interrupted&) {
    progress.note("stopped; nothing was written");
    throw;
  }
  const std::string how =
      concat(loaded.origin, ", ", in_words(loaded.model, request)) +
      (options.encode.empty() ? "" : ", from " + options.encode) +
      (loaded.model.kernels().operands == kernels::OperandType::bfloat16 ? ", products in bfloat16" : "");
  if (suffix == ".png") {
    const bool beside = encoded.x0.defined() && samples.x.rank() == 4;
    write_png(options.out, beside ? pairs(encoded.x0, samples.x) : picture_of(samples.x));
  } else {
    const auto set = samples.as_dataset();
    set->name = "samples";
    set->source = "reverie sample: " + how;
    set->licence = "made by a model; the licence of its training data may apply";
    set->save(options.out);
  }
  if (!options.noise.empty()) write_noise(options.noise, encoded.x_T);
  progress.clear();
  std::cout << options.out << ": " << request.count << " samples of " << how << "; " << samples.evaluations
            << " evaluations of the network each; " << progress.elapsed() << std::setprecision(3);
  if (samples.x.rank() == 4) std::cout << "; mean brightness " << mean_of(brightness(samples.x));
  std::cout << "\n";
  if (encoded.x0.defined()) {
    std::cout << "  encoded to noise x_T of deviation " << root_mean_square(encoded.x_T)
              << " (the model expects 1); the decoded samples differ by "
              << root_mean_square((Var(samples.x) - encoded.x0).value()) << " (root mean square, data in [-1, 1])\n";
  }
  if (!options.noise.empty()) std::cout << options.noise << ": x_T\n";
}

}  // namespace

void add_sample(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("sample", "Draw new samples from a trained model");
  add_model(command, options->checkpoint, options->weights);
  command->get_option("--checkpoint")->required();
  command->add_option("--count", options->count, "Number of samples [64]")->type_name("N")->check(positive);
  command->add_option("--out", options->out, "X.png for a picture of all samples, X.h5 for an image set or point set")
      ->type_name("FILE")
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
  command
      ->add_option(
          "--encode", options->encode,
          "Encode these samples to noise with DDIM inversion and start from that: reconstructs them, or changes them "
          "with --class or guidance. A .png shows each beside its reconstruction")
      ->type_name("SET");
  command->add_option("--noise", options->noise, "With --encode: write the noise x_T to this HDF5 file")
      ->type_name("FILE");
  command
      ->add_option(
          "--products", options->products,
          "Operands of matrix products: float, or bfloat16 (faster on CPUs that support it, errors up to 1e-2) "
          "[kernels.products]")
      ->type_name("KIND")
      ->check(CLI::IsMember({"float", "bfloat16"}).description(""));
  add_threads(command);
  command->footer(sampler_list() +
                  "\nexample: reverie sample --checkpoint runs/demo/checkpoint.h5 --sampler ddim \\\n"
                  "             --steps 50 --count 64 --out new.png");
  command->callback([options] { sample(*options); });
}

}  // namespace reverie::inline REVERIE_PRECISION
