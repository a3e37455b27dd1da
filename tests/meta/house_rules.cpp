// House rules, as tests on the sources themselves: external libraries, lengths of files, namespaces, citations,
// packages, formatting.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "tests/meta/sources.h"

using namespace reverie;
namespace fs = std::filesystem;

TEST_CASE("there are sources to look at") { CHECK(sources().size() > 50); }

TEST_CASE("an external library enters through one file, or the few that share its work") {
  const std::vector<std::pair<std::string, std::set<std::string>>> doors{
      {"(oneapi/)?tbb/.*", {"tensor/parallel.cpp", "tensor/storage.cpp"}},
      {"cblas.*", {"tensor/gemm.cpp"}},
      {"(hdf5|H5.*)\\.h", {"data/hdf5_objects.h", "data/hdf5_types.cpp"}},
      {"png\\.h", {"data/png.cpp"}},
      {"turbojpeg\\.h", {"data/jpeg.cpp"}},
      {"nifti1.*\\.h", {"data/nifti.cpp"}},
      {"zip\\.h", {"data/npy.cpp"}},
      {"zlib\\.h", {"data/fingerprint.cpp", "data/gzip_file.cpp", "data/hdf5.cpp"}},
      {"toml\\+\\+/.*", {"diffusion/model/config_toml.cpp"}},
      {"hwy/.*", {"tensor/kernels/simd/.*", "benchmarks/peak.cpp"}},
      {"nlohmann/.*",
       {"apps/(averages|metrics|plane|report_page|run_report)\\.cpp", "data/json_images.cpp", "data/safetensors.cpp"}},
      {"CLI/.*",
       {"apps/cli.h", "benchmarks/reference/main.cpp", "benchmarks/train_step.cpp", "benchmarks/tour/.*",
        "benchmarks/uses/.*"}},
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

TEST_CASE("files stay under 400 lines: a split a longer one") {
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

TEST_CASE("every paper that the sources, documents and configurations cite is in diffusion/PAPERS.md") {
  const std::string papers = read_text(root() + "/diffusion/PAPERS.md");
  const std::string key = R"(\[([A-Z][A-Za-z]+[0-9]{2}[a-z]?)\])";
  std::set<std::string> known;
  for (const std::string& line : matches(papers, R"(\n\| (\[[^\]]+\]) \|)"))
    for (const std::string& name : matches(line, key))
      CHECK_MESSAGE(known.insert(name).second, name, " is listed twice");
  CHECK(known.size() > 10);
  std::vector<Source> texts = sources();
  for (const char* folder : {"docs", "configs"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root() + "/" + folder))
      if (entry.is_regular_file())
        texts.push_back({fs::relative(entry.path(), root()).string(), read_text(entry.path())});
  }
  for (const Source& source : texts) {
    for (const std::string& cited : matches(source.text, key))
      CHECK_MESSAGE(known.contains(cited), source.path, " cites ", cited);
  }
}

TEST_CASE("scripts/setup installs every library that the build asks for") {
  const std::string setup = read_text(root() + "/scripts/setup");
  const std::map<std::string, std::string> of_package{
      {"tbbmalloc", "libtbb-dev"}, {"doctest", "doctest-dev"}, {"niftiio", "libniftiio-dev"}};
  for (const char* file : {"/meson.build", "/tests/meson.build", "/benchmarks/meson.build"}) {
    const std::string text = read_text(root() + file);
    for (const char* pattern : {R"(dependency\('([^']+)')", R"(find_library\('([^']+)')"}) {
      for (const std::string& name : matches(text, pattern)) {
        const auto package = of_package.find(name);
        const std::string wanted = package == of_package.end() ? " library " + name + "\n" : package->second;
        CHECK_MESSAGE(contains(setup, wanted), file, " needs ", name);
      }
    }
  }
}

TEST_CASE("every C++ file is formatted, where clang-format is installed") {
  if (std::system("command -v clang-format > /dev/null") != 0) {
    MESSAGE("skipped: clang-format is not installed; scripts/setup installs it");
    return;
  }
  const TemporaryFolder folder;
  const std::string list = folder / "files", complaints = folder / "complaints";
  std::string files;
  for (const Source& source : sources()) files += source.path + "\n";
  write_text(list, files);
  const std::string command =
      "cd '" + root() + "' && xargs clang-format --dry-run -Werror < '" + list + "' 2> '" + complaints + "'";
  const bool formatted = std::system(command.c_str()) == 0;
  std::set<std::string> unformatted;
  for (const std::string& path : matches(read_text(complaints), R"((?:^|\n)([^:\n]+):\d+:\d+: error:)"))
    unformatted.insert(path);
  for (const std::string& path : unformatted) CHECK_MESSAGE(false, path, ": run clang-format -i on it");
  CHECK_MESSAGE((formatted || !unformatted.empty()), read_text(complaints));
}
