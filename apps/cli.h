#pragma once
#include <CLI/CLI.hpp>  // the one place that includes CLI11

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {

// Each adds a subcommand to the program; the subcommand's work is done while the command line is parsed.
void add_train(CLI::App& program);
void add_sample(CLI::App& program);
void add_evaluate(CLI::App& program);
void add_data(CLI::App& program);
void add_inspect(CLI::App& program);

/// Checks without a text of their own in the help.
inline const CLI::Validator positive = CLI::PositiveNumber.description("");
inline const CLI::Validator not_negative = CLI::NonNegativeNumber.description("");

/// --threads N, which every command that works has.
inline void add_threads(CLI::App* command) {
  command
      ->add_option_function<int>("--threads", set_threads,
                                 "Threads to work with; results don't depend on it [all cores]")
      ->type_name("N")
      ->check(CLI::Range(1, 1024).description(""));
}

}  // namespace reverie::inline REVERIE_PRECISION
