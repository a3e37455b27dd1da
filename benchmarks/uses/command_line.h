#pragma once
#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <iostream>

#include "tensor/error.h"

/// Parses the command line of a benchmark, then calls `run`. Returns the exit code: 2 for wrong usage, 1 for a failure.
inline int with_command_line(CLI::App& program, int argc, char** argv, const std::function<void()>& run) {
  try {
    program.parse(argc, argv);
    run();
    return 0;
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return dynamic_cast<const reverie::UsageError*>(&error) != nullptr ? 2 : 1;
  }
}
