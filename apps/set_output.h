#pragma once
#include "apps/cli.h"
#include "apps/files.h"
#include "data/split.h"

namespace reverie::inline REVERIE_PRECISION {

/// The options of a command that creates a data set.
struct SetOutput {
  std::string out, name, source, licence;

  void add_to(CLI::App* command);
  void check(const std::vector<Input>& inputs) const;
  /// Writes and describes the set.
  void write(StoredSet& set) const;
  /// The same, and warns of classes without samples.
  void save(StoredSet& set) const;
};

/// The options of a command that imports images: they are shuffled, and some may be held out for validation.
struct ImportOutput : SetOutput {
  double validation = 0;       ///< the share that is held out
  std::string validation_out;  ///< the file for it; empty: X-validation.h5 for X.h5
  bool keep_order = false;     ///< does not shuffle
  std::uint64_t seed = 0;      ///< of the order and of the split

  void add_to(CLI::App* command);
  void check(const std::vector<Input>& inputs) const;
  /// Splits and shuffles the images, then writes and describes each part.
  void save(GroupedImages images) const;

 private:
  std::string validation_file() const;
  CLI::App* command_ = nullptr;
};

/// Prints a line of an import as a warning.
void print_note(const std::string& text);

/// Adds `data import` and its subcommands.
void add_import(CLI::App* data);

}  // namespace reverie::inline REVERIE_PRECISION
