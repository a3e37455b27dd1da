// reverie inspect: describes a file that reverie can read.
#include <iostream>

#include "apps/cli.h"
#include "apps/describe.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

std::string description(const std::string& path, bool all) {
  const auto without_list = [&](const std::string& text) {
    if (all)
      throw UsageError("--all: lists the tensors of a checkpoint or of a file of weights, and ", path, " is neither");
    return text;
  };
  if (!Hdf5File::is_hdf5(path)) return describe(read_state_dict(path), all);
  if (is_classifier(path)) return without_list(describe(*read_classifier(path)));
  const Hdf5File file = Hdf5File::open(path);
  if (is_checkpoint(path)) return describe(read_checkpoint(path), all);
  if (file.has("images") || file.has("points")) return without_list(describe(*load_dataset(path)));
  return describe(read_state_dict(path), all);
}

void inspect(const std::string& path, bool all) {
  const std::string text = description(path, all);  // before the name is printed: it may fail
  std::cout << printable(path) << "\n" << text;
}

}  // namespace

void add_inspect(CLI::App& program) {
  struct Options {
    std::string file;
    bool all = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add_subcommand("inspect", "Describe a checkpoint, a file of weights, a classifier or a data set");
  command->add_option("file", options->file, "File to describe")->type_name("FILE")->required();
  command->add_flag("--all", options->all, "List every tensor of a checkpoint or file of weights");
  add_threads(command);
  command->footer("example: reverie inspect runs/demo/checkpoint.h5");
  command->callback([options] { inspect(options->file, options->all); });
}

}  // namespace reverie::inline REVERIE_PRECISION
