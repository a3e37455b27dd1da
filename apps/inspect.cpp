// reverie inspect: what is in a file of reverie's.
#include <iostream>

#include "apps/cli.h"
#include "apps/describe.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void inspect(const std::string& path, bool all) {
  bool checkpoint = false;
  {
    const Hdf5File file = Hdf5File::open(path);
    checkpoint = file.has_attribute("/", "format");
    if (!checkpoint && !file.has("images") && !file.has("points")) {
      throw Error(path, ": is an HDF5 file, but no checkpoint, image set (dataset `images`) or point set (`points`)");
    }
  }
  std::cout << path << "\n" << (checkpoint ? describe(read_checkpoint(path), all) : describe(*load_dataset(path)));
}

}  // namespace

void add_inspect(CLI::App& program) {
  struct Options {
    std::string file;
    bool all = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("inspect", "What is in a checkpoint, an image set or a point set");
  command->add_option("file", options->file, "The file")->type_name("FILE")->required();
  command->add_flag("--all", options->all, "Checkpoints: list every tensor too");
  add_threads(command);
  command->footer("example: reverie inspect runs/demo/checkpoint.h5");
  command->callback([options] { inspect(options->file, options->all); });
}

}  // namespace reverie::inline REVERIE_PRECISION
