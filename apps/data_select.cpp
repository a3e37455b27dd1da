// reverie data select: makes an image set of some classes or rows of another.
#include <algorithm>
#include <iostream>

#include "apps/cli.h"
#include "apps/describe.h"
#include "apps/files.h"
#include "data/subset.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The rows that a selection keeps, as its options are named.
struct Selection {
  std::vector<std::string> classes, exclude;
  std::vector<Index> rows;
  std::string masks;

  std::vector<Index> of(const ImageSet& set, const std::string& path) const {
    for (const auto& [option, names] : {std::pair{"--classes", &classes}, {"--exclude", &exclude}}) {
      for (const std::string& name : *names) require_class(set, path, option, name);
    }
    if (!masks.empty() && set.masks.empty()) throw UsageError("--masks ", masks, ": ", path, " has no masks");
    const Index first = rows.empty() ? 0 : rows[0], last = rows.empty() ? set.count : rows[1];
    if (first >= last || last > set.count) {
      throw UsageError("--rows ", first, " ", last, ": expects the first row and the one after the last, 0 to ",
                       set.count);
    }
    std::vector<Index> kept;
    for (Index i = first; i < last; ++i)
      if (keeps_class(set, i) && keeps_mask(set, i)) kept.push_back(i);
    if (kept.empty()) throw UsageError(path, ": the selection keeps none of its ", set.count, " images");
    return kept;
  }

 private:
  static void require_class(const ImageSet& set, const std::string& path, const char* option, const std::string& name) {
    if (std::find(set.class_names.begin(), set.class_names.end(), name) != set.class_names.end()) return;
    std::string known;
    for (const std::string& other : set.class_names) known += (known.empty() ? "" : ", ") + other;
    throw UsageError(option, " ", name, ": unknown class; ", path, set.class_names.empty() ? " has none" : " has ",
                     known);
  }
  bool keeps_class(const ImageSet& set, Index row) const {
    if (set.labels.empty()) return true;
    const std::string& name = set.class_names[set.labels[row]];
    const auto among = [&](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    return (classes.empty() || among(classes)) && !among(exclude);
  }
  bool keeps_mask(const ImageSet& set, Index row) const {
    if (masks.empty()) return true;
    const auto mask = set.masks.begin() + row * set.height * set.width;
    const bool marked = std::any_of(mask, mask + set.height * set.width, [](std::uint8_t value) { return value != 0; });
    return marked == (masks == "marked");
  }
};

// Drops the classes that no image has, so that a model that learns the set doesn't know them.
void drop_unused_classes(ImageSet& set) {
  std::vector<std::string> used;
  std::vector<Index> number(set.class_names.size(), -1);
  for (std::size_t k = 0; k < number.size(); ++k) {
    if (std::find(set.labels.begin(), set.labels.end(), static_cast<Index>(k)) == set.labels.end()) continue;
    number[k] = std::ssize(used);
    used.push_back(set.class_names[k]);
  }
  for (Index& label : set.labels) label = number[label];
  set.class_names = std::move(used);
}

}  // namespace

void add_select(CLI::App* data) {
  struct Options : Selection {
    std::string data, name, out;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = data->add_subcommand("select", "Make an image set of some classes or rows of another");
  command->add_option("--data", options->data, "Image set to select from")->type_name("SET")->required();
  auto* classes = command->add_option("--classes", options->classes, "Keep only these classes, separated by commas");
  classes->type_name("A,B")->delimiter(',');
  command->add_option("--exclude", options->exclude, "Leave out these classes, separated by commas")
      ->type_name("A,B")
      ->delimiter(',')
      ->excludes(classes);
  command->add_option("--rows", options->rows, "Keep only rows FIRST, ..., LAST - 1 of the set, counted from 0")
      ->type_name("FIRST LAST")
      ->expected(2)
      ->check(not_negative);
  command->add_option("--masks", options->masks, "Keep only images whose mask is empty, or only those where it is not")
      ->type_name("empty|marked")
      ->check(CLI::IsMember({"empty", "marked"}).description(""));
  command->add_option("--name", options->name, "Name of the new set [that of the old one]")->type_name("TEXT");
  command->add_option("--out", options->out, "File to write, X.h5")->type_name("FILE")->required();
  add_threads(command);
  command->footer("example: reverie data select --data data/sets/digits-train.h5 --exclude 2 --out digits.h5");
  command->callback([options] {
    check_outputs({{"--out", options->out, {".h5"}, data_set}}, {{"--data", options->data}});
    const ImageSet set = ImageSet::load(options->data);
    const std::vector<Index> rows = options->of(set, options->data);
    ImageSet part = images_of(set, rows);
    drop_unused_classes(part);
    if (!options->name.empty()) part.name = options->name;
    part.save(options->out);
    std::cout << printable(options->out) << "\n"
              << describe(part) << "  " << rows.size() << " of the " << set.count << " images of "
              << printable(options->data) << std::endl;
  });
}

}  // namespace reverie::inline REVERIE_PRECISION
