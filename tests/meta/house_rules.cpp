// The house rules, as tests on the sources themselves.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "tests/helpers.h"

using namespace reverie;
namespace fs = std::filesystem;

namespace {

struct Source {
  std::string path;  // from the project's root
  std::string text;
  std::string folder() const { return path.substr(0, path.find('/')); }
};

std::string root() { return std::getenv("REVERIE_SOURCE_ROOT"); }

const std::vector<Source>& sources() {
  static const std::vector<Source> all = [] {
    std::vector<Source> list;
    for (const char* folder : {"tensor", "autograd", "nn", "data", "diffusion", "apps", "tests", "benchmarks"}) {
      for (const auto& entry : fs::recursive_directory_iterator(root() + "/" + folder)) {
        const std::string suffix = entry.path().extension();
        if (suffix == ".h" || suffix == ".cpp")
          list.push_back({fs::relative(entry.path(), root()).string(), read_text(entry.path())});
      }
    }
    return list;
  }();
  return all;
}

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match)
    found.push_back((*match)[1].str());
  return found;
}

std::vector<std::string> includes(const Source& source) {
  return matches(source.text, R"re(#include\s*[<"]([^>"]+)[>"])re");
}

}  // namespace

TEST_CASE("there are sources to look at") { CHECK(sources().size() > 50); }

TEST_CASE("a folder includes only folders to its left: tensor <- autograd <- nn <- diffusion <- apps; data beside") {
  const std::map<std::string, std::set<std::string>> allowed{
      {"tensor", {"tensor"}},
      {"autograd", {"tensor", "autograd"}},
      {"nn", {"tensor", "autograd", "nn"}},
      {"data", {"tensor", "data"}},
      {"diffusion", {"tensor", "autograd", "nn", "data", "diffusion"}},
      {"apps", {"tensor", "autograd", "nn", "data", "diffusion", "apps"}},
      {"benchmarks", {"tensor", "autograd", "nn", "data", "diffusion", "benchmarks"}}};
  for (const Source& source : sources()) {
    const auto rule = allowed.find(source.folder());
    if (rule == allowed.end()) continue;  // tests may include everything
    for (const std::string& include : includes(source)) {
      const std::string folder = include.substr(0, include.find('/'));
      if (!allowed.contains(folder) && folder != "tests") continue;  // a library's header
      CHECK_MESSAGE(rule->second.contains(folder), source.path, " includes ", include);
    }
  }
}

TEST_CASE("an external library enters through one file, or the few that share its work") {
  const std::vector<std::pair<std::string, std::set<std::string>>> doors{
      {"(oneapi/)?tbb/.*", {"tensor/parallel.cpp", "tensor/storage.cpp"}},
      {"cblas.*", {"tensor/gemm.cpp"}},
      {"(hdf5|H5.*)\\.h", {"data/hdf5_objects.h", "data/hdf5_types.cpp"}},
      {"png\\.h", {"data/png.cpp"}},
      {"zlib\\.h", {"data/idx.cpp"}},
      {"toml\\+\\+/.*", {"diffusion/model/config.cpp"}},
      {"hwy/.*", {"tensor/kernels/simd/.*", "benchmarks/peak.cpp"}},
      {"nlohmann/.*", {"apps/metrics.cpp", "data/safetensors.cpp"}},
      {"CLI/.*", {"apps/cli.h", "benchmarks/reference/main.cpp", "benchmarks/train_step.cpp"}},
  };
  for (const auto& door : doors) {
    const std::regex header(door.first);
    std::set<std::string> users;
    for (const Source& source : sources()) {
      if (source.folder() == "tests") continue;
      for (const std::string& include : includes(source))
        if (std::regex_match(include, header)) users.insert(source.path);
    }
    const auto may = [&](const std::string& user) {
      return std::any_of(door.second.begin(), door.second.end(),
                         [&](const std::string& path) { return std::regex_match(user, std::regex(path)); });
    };
    for (const std::string& user : users) CHECK_MESSAGE(may(user), user, " includes ", door.first);
    CHECK_MESSAGE(!users.empty(), door.first);
  }
}

TEST_CASE("files stay under 400 lines: a longer one wants a second room") {
  for (const Source& source : sources()) {
    const auto lines = std::count(source.text.begin(), source.text.end(), '\n');
    CHECK_MESSAGE(lines < 400, source.path, " has ", lines, " lines");
  }
}

TEST_CASE("everything in the library and the program stands in the namespace of its precision") {
  for (const Source& source : sources()) {
    if (source.folder() == "tests" || source.folder() == "benchmarks") continue;  // they may see both
    for (const std::string& rest : matches(source.text, R"(\nnamespace reverie([^\n]*))"))
      CHECK_MESSAGE(rest.starts_with("::inline REVERIE_PRECISION"), source.path);
  }
}

TEST_CASE("every paper that the sources cite is in diffusion/PAPERS.md") {
  const std::string papers = read_text(root() + "/diffusion/PAPERS.md");
  const std::string key = R"(\[([A-Z][A-Za-z]+[0-9]{2}[a-z]?)\])";
  std::set<std::string> known;
  for (const std::string& line : matches(papers, R"(\n\| (\[[^\]]+\]) \|)"))
    for (const std::string& name : matches(line, key)) CHECK_MESSAGE(known.insert(name).second, name, " stands twice");
  CHECK(known.size() > 10);
  for (const Source& source : sources()) {
    for (const std::string& cited : matches(source.text, key))
      CHECK_MESSAGE(known.contains(cited), source.path, " cites ", cited);
  }
}

TEST_CASE("scripts/setup installs every library that the build asks for") {
  const std::string setup = read_text(root() + "/scripts/setup");
  const std::map<std::string, std::string> of_package{{"tbbmalloc", "libtbb-dev"}, {"doctest", "doctest-dev"}};
  for (const char* file : {"/meson.build", "/tests/meson.build", "/benchmarks/meson.build"}) {
    const std::string text = read_text(root() + file);
    for (const char* pattern : {R"(dependency\('([^']+)')", R"(find_library\('([^']+)')"}) {
      for (const std::string& name : matches(text, pattern)) {
        const auto package = of_package.find(name);
        const std::string wanted = package == of_package.end() ? " library " + name + "\n" : package->second;
        CHECK_MESSAGE(contains(setup, wanted), file, " wants ", name);
      }
    }
  }
}

TEST_CASE("the links of the documents lead somewhere") {
  for (const char* folder : {"", "docs", "data/sets"}) {
    for (const auto& entry : fs::directory_iterator(root() + "/" + folder)) {
      if (entry.path().extension() != ".md") continue;
      for (const std::string& link : matches(read_text(entry.path()), R"(\]\(([^)#:]+)\))"))
        CHECK_MESSAGE(fs::exists(entry.path().parent_path() / link), entry.path().string(), " links to ", link);
    }
  }
}
