// reverie data: creates and inspects data sets.
#include <iostream>
#include <map>

#include "apps/cli.h"
#include "apps/describe.h"
#include "apps/files.h"
#include "data/idx.h"
#include "data/png_folder.h"
#include "data/scenes.h"
#include "data/subset.h"
#include "data/toy.h"
#include "diffusion/training/lint.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void print(const std::string& path, const StoredSet& set) {
  std::cout << printable(path) << "\n" << describe(set) << std::flush;
  if (const std::string warning = empty_classes(set); !warning.empty()) std::cerr << "warning: " << warning << "\n";
}

// Options shared by all commands that create a data set.
struct Output {
  std::string out, name, source, licence;

  void check(const std::vector<Input>& inputs) const { check_outputs({{"--out", out, {".h5"}, data_set}}, inputs); }
  void save(StoredSet& set) const {
    if (!name.empty()) set.name = name;
    if (!source.empty()) set.source = source;
    if (!licence.empty()) set.licence = licence;
    set.save(out);
    print(out, set);
  }
};

void add_output(CLI::App* command, Output& output) {
  command->add_option("--name", output.name, "Name of the data set")->type_name("TEXT");
  command->add_option("--source", output.source, "Where the data comes from")->type_name("TEXT");
  command->add_option("--licence", output.licence, "Licence of the data")->type_name("TEXT");
  command->add_option("--out", output.out, "File to write, X.h5")->type_name("FILE")->required();
  add_threads(command);
}

void add_import_idx(CLI::App* import) {
  struct Options : Output {
    std::string images, labels;
    std::vector<std::string> class_names;
    Index first = all_samples;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = import->add_subcommand("idx", "Import files in MNIST's IDX format, plain or gzipped");
  command->add_option("--images", options->images, "File with the images")->type_name("FILE")->required();
  command->add_option("--labels", options->labels, "File with the labels")->type_name("FILE");
  command
      ->add_option("--class-names", options->class_names, "Names of the classes, separated by commas [their numbers]")
      ->type_name("A,B")
      ->delimiter(',');
  command->add_option("--first", options->first, "Import only the first N images [all]")
      ->type_name("N")
      ->check(positive);
  add_output(command, *options);
  command->footer(
      "example: reverie data import idx --images train-images-idx3-ubyte.gz \\\n"
      "           --labels train-labels-idx1-ubyte.gz --out mnist.h5");
  command->callback([options] {
    options->check({{"--images", options->images}, {"--labels", options->labels}});
    ImageSet set = read_idx(options->images, options->labels, options->class_names, options->first);
    if (options->first != all_samples && options->first > set.count) {
      throw UsageError("--first ", options->first, ": ", options->images, " has ", set.count, " images");
    }
    options->save(set);
  });
}

void add_import_png(CLI::App* import) {
  struct Options : Output {
    std::string folder, size;
    std::vector<Index> range;
    PngFolderOptions png;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = import->add_subcommand("png", "Import a folder of PNG files; its subfolders are classes");
  command->add_option("--folder", options->folder, "Folder to import")->type_name("DIR")->required();
  command->add_option("--size", options->size, "Crop and resample to this size [size of the files]")->type_name("HxW");
  command->add_option("--channels", options->png.channels, "1 for grey, 3 for colour [channels of the files]")
      ->type_name("1|3")
      ->check(CLI::IsMember({1, 3}).description(""));
  command
      ->add_option("--range", options->range,
                   "For 16-bit files: the samples that become black and white, e.g. 0 4095 for 12 bits [0 65535]")
      ->type_name("LOW HIGH")
      ->expected(2)
      ->check(CLI::Range(0, 65535).description(""));
  add_output(command, *options);
  command->footer("example: reverie data import png --folder emoji/ --size 32x32 --out emoji.h5");
  command->callback([options] {
    if (!options->size.empty()) {
      int end = 0;
      long long height = 0, width = 0;
      const bool whole = std::sscanf(options->size.c_str(), "%5lldx%5lld%n", &height, &width, &end) == 2 &&
                         static_cast<std::size_t>(end) == options->size.size();
      if (!whole || height < 1 || width < 1 || height * width > (1 << 28))
        throw UsageError("--size ", options->size, ": expects HxW, e.g. 32x32");
      options->png.height = height;
      options->png.width = width;
    }
    if (!options->range.empty()) options->png.range = {options->range[0], options->range[1]};
    options->png.note = [](const std::string& text) { std::cerr << "warning: " << printable(text) << "\n"; };
    options->check({{"--folder", options->folder}});
    ImageSet set = read_png_folder(options->folder, options->png);
    options->save(set);
  });
}

void add_toy(CLI::App* data) {
  struct Options : Output {
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
  add_output(command, *options);
  command->footer("example: reverie data toy two_moons --count 10000 --seed 1 --out moons.h5");
  command->callback([options] {
    options->check({});
    PointSet set = toy(options->distribution, options->count, options->seed);
    options->save(set);
  });
}

void add_scenes(CLI::App* data) {
  struct Options : Output {
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
  add_output(command, *options);
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
    print(options->file, *set);
    const std::string note = options->grid.empty() ? "" : picture_note(set->sample_shape());
    if (!note.empty()) std::cout << printable(options->grid) << note << "\n";
  });
}

}  // namespace

void add_data(CLI::App& program) {
  CLI::App* data = program.add_subcommand("data", "Create and inspect data sets");
  need_subcommand(data);
  CLI::App* import = data->add_subcommand("import", "Create an image set from files in other formats");
  need_subcommand(import);
  add_import_idx(import);
  add_import_png(import);
  import->footer("example: reverie data import png --folder photos/ --size 64x64 --out photos.h5");
  add_toy(data);
  add_scenes(data);
  add_select(data);
  add_info(data);
  data->footer("example: reverie data info data/sets/digits-train.h5");
}

}  // namespace reverie::inline REVERIE_PRECISION
