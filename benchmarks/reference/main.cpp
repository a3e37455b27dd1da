#include <fnmatch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "benchmarks/reference/result.h"

// The code that runs cases, compiled once for each precision (reference/kinds.h).
namespace reverie {
namespace float32 {
CaseResult run_case(const std::string& path);
}
namespace float64 {
CaseInfo case_info(const std::string& path);
CaseResult run_case(const std::string& path);
}  // namespace float64
}  // namespace reverie

namespace {

using reverie::CaseResult, reverie::Verdict;

struct Tally {
  int passed = 0, failed = 0;
};

bool is_selected(const std::string& kind, const std::vector<std::string>& patterns) {
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
           return fnmatch(pattern.c_str(), kind.c_str(), 0) == 0;
         });
}

/// The given files, and all HDF5 files in and below the given folders, sorted by name within each folder.
std::vector<std::string> case_files(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    const auto first = static_cast<std::ptrdiff_t>(files.size());
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      const fs::path extension = entry.path().extension();
      if (!entry.is_directory() && (extension == ".h5" || extension == ".hdf5")) files.push_back(entry.path());
    }
    std::sort(files.begin() + first, files.end());
  }
  return files;
}

void print(const CaseResult& result, const std::string& kind, const std::string& path) {
  const std::string file = std::filesystem::path(path).filename();
  if (result.verdict == Verdict::unsupported) {
    std::printf("UNSUPPORTED %s %s\n", kind.c_str(), file.c_str());
    return;
  }
  const bool passed = result.verdict == Verdict::pass;
  std::printf("%s %s %s abs=%.1e rel=%.1e %.1f ms%s%s\n", passed ? "PASS" : "FAIL", kind.c_str(), file.c_str(),
              result.abs, result.rel, result.milliseconds, passed ? "" : ": ", result.why.c_str());
}

void run(const std::string& path, const std::vector<std::string>& patterns, Tally& tally) {
  try {
    const reverie::CaseInfo info = reverie::float64::case_info(path);
    if (!is_selected(info.kind, patterns)) return;
    const CaseResult result = info.in_float32 ? reverie::float32::run_case(path) : reverie::float64::run_case(path);
    print(result, info.kind, path);
    ++(result.verdict == Verdict::pass ? tally.passed : tally.failed);
  } catch (const std::exception& error) {  // no case, so it has no kind; the message names the file
    std::printf("FAIL %s\n", error.what());
    ++tally.failed;
  }
  std::fflush(stdout);
}

constexpr const char* description =
    "Runs reference cases: computations with the inputs and outputs of an independent implementation, one per file\n"
    "(benchmarks/reference/SCHEMA.md). Each runs in the precision that the case names, and every output is compared.\n";

constexpr const char* footer =
    "Prints one line per case: PASS, FAIL or UNSUPPORTED, its kind and file, the largest absolute and relative error "
    "over all\n"
    "elements (relative only where the expected value exceeds the case's atol), the time, and for a failure the worst\n"
    "output. The last line counts passed and failed cases; unsupported ones count as failed.\n"
    "Exits with 0 if every case passed, 1 if any failed, 2 for wrong usage.\n\n"
    "Example: build/benchmarks/reference benchmarks/reference/cases --kind 'op/*' --kind unet";

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(description, "reference");
  app.footer(footer);
  std::vector<std::string> paths, patterns;
  app.add_option("PATH", paths, "Folders of case files (*.h5, sub-folders too), or single files")
      ->required()
      ->check(CLI::ExistingPath);
  app.add_option("--kind", patterns, "Run only the kinds that match this glob, e.g. 'sampler/*'; may be repeated")
      ->type_name("PATTERN")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  Tally tally;
  try {
    for (const std::string& path : case_files(paths)) run(path, patterns, tally);
  } catch (const std::filesystem::filesystem_error& error) {
    std::fprintf(stderr, "reference: %s\n", error.what());
    return 2;
  }
  std::printf("%d passed, %d failed\n", tally.passed, tally.failed);
  if (tally.passed + tally.failed == 0) {
    std::fprintf(stderr, "reference: no case matches\n");
    return 2;
  }
  return tally.failed > 0 ? 1 : 0;
}
