#include "apps/set_output.h"

#include <algorithm>
#include <iostream>

#include "apps/describe.h"
#include "diffusion/training/lint.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Lists names, at most ten: "a, b and 3 more".
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, names.size()); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > shown ? concat(text, " and ", names.size() - shown, " more") : text;
}

}  // namespace

void print_note(const std::string& text) { std::cerr << "warning: " << printable(text) << "\n"; }

void SetOutput::add_to(CLI::App* command) {
  command->add_option("--name", name, "Name of the data set")->type_name("TEXT");
  command->add_option("--source", source, "Where the data comes from")->type_name("TEXT");
  command->add_option("--licence", licence, "Licence of the data")->type_name("TEXT");
  command->add_option("--out", out, "File to write, X.h5")->type_name("FILE")->required();
  add_threads(command);
}

void SetOutput::check(const std::vector<Input>& inputs) const {
  check_outputs({{"--out", out, {".h5"}, data_set}}, inputs);
}

void SetOutput::write(StoredSet& set) const {
  if (!name.empty()) set.name = name;
  if (!source.empty()) set.source = source;
  if (!licence.empty()) set.licence = licence;
  set.save(out);
  std::cout << printable(out) << "\n" << describe(set) << std::flush;
}

void SetOutput::save(StoredSet& set) const {
  write(set);
  if (const std::string warning = empty_classes(set); !warning.empty()) print_note(warning);
}

void ImportOutput::add_to(CLI::App* command) {
  command_ = command;
  command
      ->add_option("--validation", validation,
                   "Hold this share of the images out, e.g. 0.1, in a set of their own; groups stay whole [none]")
      ->type_name("SHARE")
      ->check(finite);
  command->add_option("--validation-out", validation_out, "File for the held-out images [X-validation.h5]")
      ->type_name("FILE");
  command->add_flag("--shuffle")
      ->description("Write the images in random order, as is the default")
      ->excludes(command->add_flag("--no-shuffle", keep_order, "Keep the order of the source"));
  command->add_option("--seed", seed, "Random seed of the order and of the split [0]")
      ->type_name("S")
      ->check(not_negative);
  SetOutput::add_to(command);
}

std::string ImportOutput::validation_file() const {
  if (validation == 0) return "";
  return !validation_out.empty() ? validation_out : out.substr(0, out.rfind(".h5")) + "-validation.h5";
}

void ImportOutput::check(const std::vector<Input>& inputs) const {
  const bool splits = command_->count("--validation") > 0;
  if (splits && !(validation > 0 && validation < 1))
    throw UsageError("--validation ", validation, ": expects a share between 0 and 1, e.g. 0.1");
  require_used(command_, "--validation-out", splits, "without --validation");
  require_used(command_, "--seed", splits || !keep_order, "with --no-shuffle, without --validation");
  check_outputs({{"--out", out, {".h5"}, data_set}, {"--validation-out", validation_file(), {".h5"}, data_set}},
                inputs);
}

void ImportOutput::save(GroupedImages images) const {
  const auto in_order = [&](ImageSet set) { return keep_order ? std::move(set) : shuffled(set, seed); };
  if (validation == 0) {
    ImageSet set = in_order(std::move(images.set));
    SetOutput::save(set);
    return;
  }
  const Index count = images.set.count;
  auto [train, held_out] = split_validation(std::move(images.set), images.groups, validation, seed);
  if (held_out.count == 0) {
    throw UsageError(
        "--validation: no image can be held out, as each is the only one of its class or with one of its "
        "caption's words");
  }
  train = in_order(std::move(train));
  held_out = in_order(std::move(held_out));
  SetOutput of_held_out = *this;
  of_held_out.out = validation_file();
  if (!name.empty()) of_held_out.name += "-validation";
  SetOutput::save(train);
  of_held_out.write(held_out);
  if (const auto missing = missing_classes(held_out); !missing.empty()) {
    print_note(concat(of_held_out.out, ": has no images of ", missing.size(), " of ", held_out.class_names.size(),
                      " classes: ", listed(missing)));
  }
  std::cout << "held out " << held_out.count << " of " << count << " images";
  if (!images.groups.empty())
    std::cout << "; the " << *std::max_element(images.groups.begin(), images.groups.end()) + 1
              << " groups stayed whole";
  std::cout << std::endl;
}

}  // namespace reverie::inline REVERIE_PRECISION
