// reverie augment: draws a labelled set of synthetic images from a checkpoint, to train a classifier on.
#include "diffusion/uses/augment.h"

#include <iostream>

#include "apps/files.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "apps/request.h"
#include "data/image_set.h"
#include "data/subset.h"
#include "tensor/gemm.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string checkpoint, weights, classifier, mix, out;
  SynthesisRequest request;
  SamplingFlags flags;
};

// Lists the classes: "dark 20 of 25 drawn, light 20 of 31".
std::string counts_in_words(const Synthesis& synthesis) {
  std::string text;
  for (std::size_t c = 0; c < synthesis.kept.size(); ++c) {
    if (synthesis.drawn[c] == 0) continue;
    text += concat(text.empty() ? "" : ", ", synthesis.samples.class_names[c], " ", synthesis.kept[c], " of ",
                   synthesis.drawn[c], text.empty() ? " drawn" : "");
  }
  return text;
}

void warn_of_few(const Synthesis& synthesis, Index per_class) {
  for (std::size_t c = 0; c < synthesis.kept.size(); ++c) {
    if (synthesis.drawn[c] == 0 || synthesis.kept[c] == per_class) continue;
    std::cerr << "warning: of class " << printable(synthesis.samples.class_names[c]) << " only " << synthesis.kept[c]
              << " of " << per_class << " images were kept, after " << synthesis.drawn[c]
              << " were drawn (a lower --confidence or more --tries gives more)\n";
  }
}

void warn_of_lost_parts(const StoredSet& mix, const std::string& path) {
  const auto* images = dynamic_cast<const ImageSet*>(&mix);
  const bool masks = images != nullptr && !images->masks.empty();
  if (!masks && mix.captions.empty()) return;
  std::cerr << "warning: " << printable(path) << ": its " << (masks ? "masks" : "captions")
            << " are left out, because synthetic images have none\n";
}

void augment(Options options, const CLI::App* command) {
  require_used(command, "--confidence", !options.classifier.empty(), "without --classifier");
  require_used(command, "--tries", !options.classifier.empty(), "without --classifier");
  const LoadedModel loaded = load(options.checkpoint, options.weights);
  check_outputs({{"--out", options.out, {".h5"}, data_set}}, {{"--checkpoint", options.checkpoint},
                                                              {"--classifier", options.classifier},
                                                              {"--mix", options.mix},
                                                              {"--prompts", options.flags.prompt_file},
                                                              {"training", loaded.config.data.train},
                                                              {"training", loaded.config.data.validation}});
  const auto classifier = options.classifier.empty() ? nullptr : read_classifier(options.classifier);
  const auto mix = options.mix.empty() ? nullptr : load_dataset(options.mix);
  SynthesisRequest& request = options.request;
  request.classifier = classifier.get();
  request.sampling = request_of(options.flags, loaded);
  check_synthesis(loaded.model, request);
  add_prompts(request.sampling, options.flags, loaded.model);
  if (mix) require_fits(loaded.model, *mix, options.mix);

  note_interrupts();
  prepare_blas();
  Progress progress;
  Synthesis synthesis;
  try {
    synthesis = synthesise(loaded.model, request,
                           progress.reporter(concat("drawing ", request.per_class, " images of each class")));
  } catch (const Interrupted&) {
    progress.note("stopped; nothing was written");
    throw;
  }
  Samples samples = synthesis.samples;
  const auto synthetic = samples.as_dataset();
  std::string how =
      concat(loaded.origin, ", trained on ", loaded.config.data.train, ", ", in_words(loaded.model, request.sampling));
  if (classifier)
    how += concat(", kept with a confidence of at least ", request.confidence, " by ", options.classifier);
  Index times = 1;  // of the real samples
  if (mix) {
    times = times_for_half(*mix, *synthetic);
    const Joined joined(*mix, options.mix, *synthetic, "the samples", times);
    samples = {.x = samples_of(joined), .labels = joined.labels, .class_names = joined.class_names, .captions = {}};
  }
  const auto set = mix ? samples.as_dataset() : nullptr;
  StoredSet& out = set ? *set : *synthetic;
  out.name = mix ? mix->name + " and synthetic samples" : "synthetic samples";
  const std::string real = mix ? concat(", after ", mix->size(), " samples of ", options.mix,
                                        times > 1 ? concat(", ", times, " times over") : "")
                               : "";
  out.source = concat("reverie augment: ", how, real, mix && !mix->source.empty() ? ": " + mix->source : "");
  out.licence = concat("synthetic samples: made by a model; the licence of its training data may apply",
                       mix ? concat("; the others: ", mix->licence.empty() ? "unknown" : mix->licence) : "");
  out.save(options.out);
  progress.clear();
  std::cout << printable(options.out) << ": " << synthesis.samples.labels.size() << " synthetic samples of "
            << printable(how + real) << "; " << synthesis.samples.evaluations << " evaluations of the network each; "
            << progress.elapsed() << "\n";
  if (classifier) std::cout << "  kept: " << printable(counts_in_words(synthesis)) << "\n";
  std::cout << std::flush;
  if (mix) warn_of_lost_parts(*mix, options.mix);
  warn_of_few(synthesis, request.per_class);
}

}  // namespace

void add_augment(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("augment", "Draw a labelled set of synthetic images, to train others on");
  add_model(command, options->checkpoint, options->weights);
  command->get_option("--checkpoint")->required();
  command->add_option("--per-class", options->request.per_class, "Images of each class [100]")
      ->type_name("N")
      ->check(positive);
  command->add_option("--out", options->out, "Image set to write, X.h5")->type_name("FILE")->required();
  command
      ->add_option("--classifier", options->classifier,
                   "Keep only images that this classifier of `reverie classifier` recognises, and draw others instead")
      ->type_name("FILE");
  command
      ->add_option("--confidence", options->request.confidence,
                   "With --classifier: the probability that it has to give an image's class, above 0, below 1 [0.9]")
      ->type_name("P")
      ->check(finite);
  command
      ->add_option("--tries", options->request.tries,
                   "With --classifier: draw at most this many times N images of a class [10]")
      ->type_name("K")
      ->check(positive);
  command
      ->add_option(
          "--mix", options->mix,
          "Write these real images too, a set with the model's classes: first, as often as makes them about half")
      ->type_name("SET");
  add_sampling(command, options->flags);
  add_threads(command);
  command->footer(sampler_list() +
                  "\nexample: reverie augment --checkpoint runs/demo/checkpoint.h5 \\\n"
                  "             --per-class 100 --guidance 1.5 --out synthetic.h5");
  command->callback([options, command] { augment(*options, command); });
}

}  // namespace reverie::inline REVERIE_PRECISION
