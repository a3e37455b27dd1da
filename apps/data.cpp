// reverie data: creates and inspects data sets.
#include <iostream>
#include <map>

#include "apps/describe.h"
#include "apps/set_output.h"
#include "data/scenes.h"
#include "data/subset.h"
#include "data/toy.h"
#include "diffusion/training/lint.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void add_toy(CLI::App* data) {
  struct Options : SetOutput {
    std::string distribution;
    Index count = 10'000;
    std::uint64_t seed = 0;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = data->add_subcommand("toy", "Draw points in the plane from a toy distribution");
  std::string choice = "Distribution:";
  for (const ToyDistribution& toy : toy_distributions()) choice += concat("\n", toy.name, ": ", toy.what);
  command->add_option("distribution", options->distribution, choice)->type_name("NAME")->required();
  command->add_option("--count", options->count, "Number of points [10000]")->type_name("N")->check(positive);
  command->add_option("--seed", options->seed, "Random seed; point i depends only on the seed and i [0]")
      ->type_name("S")
      ->check(not_negative);
  options->add_to(command);
  command->footer("example: reverie data toy two_moons --count 10000 --seed 1 --out moons.h5");
  command->callback([options] {
    options->check({});
    PointSet set = toy(options->distribution, options->count, options->seed);
    options->save(set);
  });
}

void add_scenes(CLI::App* data) {
  struct Options : SetOutput {
    std::string kind = "seen";
    Index count = 20'000;
    std::uint64_t seed = 0;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = data->add_subcommand("scenes", "Draw captioned pictures of two shapes, for text to image");
  const std::map<std::string, SceneKind> kinds = {
      {"seen", SceneKind::seen}, {"unseen", SceneKind::unseen}, {"all", SceneKind::all}};
  command
      ->add_option("--combinations", options->kind,
                   "seen; unseen: those with a red square, a blue circle or a yellow triangle, to test what a model "
                   "makes of pairs that it never saw; or all [seen]")
      ->type_name("KIND")
      ->check(CLI::IsMember(kinds).description(""));
  command->add_option("--count", options->count, "Number of pictures [20000]")->type_name("N")->check(positive);
  command->add_option("--seed", options->seed, "Random seed; picture i depends only on the seed and i [0]")
      ->type_name("S")
      ->check(not_negative);
  options->add_to(command);
  command->footer("example: reverie data scenes --count 20000 --out scenes.h5");
  command->callback([options, kinds] {
    options->check({});
    ImageSet set = scene_set(kinds.at(options->kind), options->count, options->seed);
    options->save(set);
  });
}

void add_info(CLI::App* data) {
  struct Options {
    std::string file, grid;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = data->add_subcommand("info", "Describe a data set");
  command->add_option("file", options->file, "Image set or point set")->type_name("FILE")->required();
  command->add_option("--grid", options->grid, "Draw 64 of the images, in random order, or all points, to this PNG")
      ->type_name("FILE");
  add_threads(command);
  command->footer("example: reverie data info data/sets/digits-train.h5 --grid digits.png");
  command->callback([options] {
    check_outputs({{"--grid", options->grid, {".png"}}}, {{"the command", options->file}});
    const auto set = load_dataset(options->file);
    if (!options->grid.empty()) {
      const Subset shown(*set, set->sample_shape().rank() == 3 ? 64 : all_samples);
      require_picture(set->sample_shape(), shown.size());
      write_png(options->grid, picture_of(samples_of(shown)));
    }
    std::cout << printable(options->file) << "\n" << describe(*set) << std::flush;
    if (const std::string warning = empty_classes(*set); !warning.empty()) print_note(warning);
    const std::string note = options->grid.empty() ? "" : picture_note(set->sample_shape());
    if (!note.empty()) std::cout << printable(options->grid) << note << "\n";
  });
}

}  // namespace

void add_data(CLI::App& program) {
  CLI::App* data = program.add_subcommand("data", "Create and inspect data sets");
  need_subcommand(data);
  add_import(data);
  add_toy(data);
  add_scenes(data);
  add_select(data);
  add_info(data);
  data->footer("example: reverie data info data/sets/digits-train.h5");
}

}  // namespace reverie::inline REVERIE_PRECISION
