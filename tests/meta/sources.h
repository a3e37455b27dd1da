#pragma once
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/helpers.h"

/// The project's files, as the tests of the house rules read them.
namespace reverie::inline REVERIE_PRECISION {

struct Source {
  std::string path;  ///< from the project's root
  std::string text;
  std::string folder() const { return path.substr(0, path.find('/')); }
};

inline std::string root() { return std::getenv("REVERIE_SOURCE_ROOT"); }

/// All C++ files, tests and benchmarks included.
inline const std::vector<Source>& sources() {
  static const std::vector<Source> all = [] {
    std::vector<Source> list;
    for (const char* folder : {"tensor", "autograd", "nn", "data", "diffusion", "apps", "tests", "benchmarks"}) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(root() + "/" + folder)) {
        const std::string suffix = entry.path().extension();
        if (suffix == ".h" || suffix == ".cpp")
          list.push_back({std::filesystem::relative(entry.path(), root()).string(), read_text(entry.path())});
      }
    }
    return list;
  }();
  return all;
}

/// The first group of each match of a pattern in a text.
inline std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match)
    found.push_back((*match)[1].str());
  return found;
}

inline std::vector<std::string> includes(const Source& source) {
  return matches(source.text, R"re(#include\s*[<"]([^>"]+)[>"])re");
}

}  // namespace reverie::inline REVERIE_PRECISION
