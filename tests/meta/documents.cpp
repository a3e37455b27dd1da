// What the documents name exists: links, paths, files.
#include <doctest/doctest.h>

#include "tests/meta/sources.h"

using namespace reverie;
namespace fs = std::filesystem;

namespace {

/// Every Markdown file of the project.
std::vector<fs::path> documents() {
  std::vector<fs::path> found;
  for (const char* name : {"README.md", "CONTRIBUTING.md"}) found.push_back(fs::path(root()) / name);
  for (const char* folder : {"docs", "data", "diffusion", "tensor", "benchmarks", "examples", "tests"}) {
    if (!fs::exists(fs::path(root()) / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(root()) / folder))
      if (entry.path().extension() == ".md") found.push_back(entry.path());
  }
  return found;
}

/// Folders whose files are in the repository: a word that begins with one of them is a path.
const char* const path_pattern =
    R"(^(?:\./)?((?:apps|autograd|benchmarks|configs|data|diffusion|docs|examples|nn|scripts|tensor|tests|\.ci)/[\w./-]*)$)";

/// Files that a command makes, or that a reader brings.
bool is_made(const std::string& path) {
  return path.starts_with("data/downloads") || path.starts_with("data/sets/mnist-");
}

std::string without_code_blocks(const std::string& text) {
  return std::regex_replace(text, std::regex("(^|\\n)```[^`]*\\n```"), "\n");
}

/// The words of inline code, `like this one`, outside of code blocks.
std::vector<std::string> words_in_code(const std::string& text) {
  const std::string outside = without_code_blocks(text);
  std::vector<std::string> words;
  for (const std::string& code : matches(outside, "`([^`\\n]+)`"))
    for (const std::string& word : matches(code, R"((\S+))")) words.push_back(word);
  return words;
}

}  // namespace

TEST_CASE("the links of the documents lead somewhere") {
  for (const fs::path& document : documents()) {
    for (const std::string& link : matches(without_code_blocks(read_text(document)), R"(\]\(([^)#:]+)(?:#[^)]*)?\))"))
      CHECK_MESSAGE(fs::exists(document.parent_path() / link), document.string(), " links to ", link);
  }
}

TEST_CASE("the paths that the documents name exist") {
  for (const fs::path& document : documents()) {
    for (const std::string& word : words_in_code(read_text(document))) {
      for (const std::string& path : matches(word, path_pattern)) {
        if (is_made(path)) continue;
        CHECK_MESSAGE(fs::exists(fs::path(root()) / path), document.string(), " names ", path);
      }
    }
  }
}

TEST_CASE("the C++ files that the documents name without their folder exist") {
  std::set<std::string> names;
  for (const Source& source : sources()) names.insert(fs::path(source.path).filename());
  for (const fs::path& document : documents()) {
    for (const std::string& word : words_in_code(read_text(document))) {
      for (const std::string& name : matches(word, R"(^([\w-]+\.(?:cpp|h))$)"))
        CHECK_MESSAGE(names.contains(name), document.string(), " names ", name);
    }
  }
}
