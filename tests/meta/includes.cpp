// Includes go downwards only: between folders, inside diffusion/, and inside tensor/kernels/.
#include <doctest/doctest.h>

#include "tests/meta/sources.h"

using namespace reverie;

namespace {

/// A part of the sources, and the parts that its files may include besides their own.
struct Part {
  std::string name;
  std::string files;  ///< a pattern for paths
  std::set<std::string> may_include;
};

const std::vector<Part> folders{
    {"tensor", "tensor/.*", {}},
    {"autograd", "autograd/.*", {"tensor"}},
    {"nn", "nn/.*", {"tensor", "autograd"}},
    {"data", "data/.*", {"tensor"}},
    {"diffusion", "diffusion/.*", {"tensor", "autograd", "nn", "data"}},
    {"apps", "apps/.*", {"tensor", "autograd", "nn", "data", "diffusion"}},
    {"benchmarks", "benchmarks/.*", {"tensor", "autograd", "nn", "data", "diffusion"}},
    {"tests", "tests/.*", {"tensor", "autograd", "nn", "data", "diffusion", "apps", "benchmarks"}},
};

const std::vector<Part> in_diffusion{
    {"tables", "diffusion/tables/.*", {}},
    {"process", "diffusion/process/.*", {"tables"}},
    {"networks", "diffusion/networks/.*", {"tables", "process"}},
    {"formulations", "diffusion/formulations/.*", {"tables", "process"}},
    {"samplers", "diffusion/samplers/.*", {"tables", "process", "formulations"}},
    {"model", "diffusion/model/.*", {"tables", "process", "networks", "formulations", "samplers"}},
    {"training", "diffusion/training/.*", {"tables", "process", "networks", "formulations", "samplers", "model"}},
    {"metrics", "diffusion/metrics/.*", {}},
    {"evaluation", "diffusion/evaluation/.*", {"tables", "process", "formulations", "samplers", "model", "metrics"}},
    {"uses",
     "diffusion/uses/.*",
     {"tables", "process", "networks", "formulations", "samplers", "model", "training", "metrics", "evaluation"}},
};

const std::vector<Part> in_kernels{
    {"scalar functions", "tensor/kernels/(functions|elementwise)\\.h", {}},
    {"choice", "tensor/kernels/choice\\.(h|cpp)", {}},
    {"simd", "tensor/kernels/simd/.*", {"scalar functions", "choice"}},
    {"packing", "tensor/kernels/packing/.*", {"scalar functions", "choice", "simd"}},
    {"conv", "tensor/kernels/conv/.*", {"scalar functions", "choice", "simd", "packing"}},
    {"other kernels", "tensor/kernels/[^/]*", {"scalar functions", "choice", "simd", "packing", "conv"}},
};

/// The first part whose pattern a path matches; a null pointer for none.
const Part* part_of(const std::vector<Part>& parts, const std::string& path) {
  for (const Part& part : parts)
    if (std::regex_match(path, std::regex(part.files))) return &part;
  return nullptr;
}

void check_includes(const std::vector<Part>& parts) {
  std::set<std::string> seen;
  for (const Source& source : sources()) {
    const Part* from = part_of(parts, source.path);
    if (from == nullptr) continue;
    seen.insert(from->name);
    for (const std::string& include : includes(source)) {
      const Part* to = part_of(parts, include);
      if (to == nullptr || to == from) continue;
      CHECK_MESSAGE(from->may_include.contains(to->name), source.path, " includes ", include);
    }
  }
  for (const Part& part : parts) CHECK_MESSAGE(seen.contains(part.name), "no file is in ", part.name);
}

}  // namespace

TEST_CASE("a folder includes only folders to its left: tensor <- autograd <- nn <- diffusion <- apps; data beside") {
  check_includes(folders);
}

TEST_CASE("inside diffusion/ includes go downwards") {
  check_includes(in_diffusion);
  for (const Source& source : sources()) {  // a new folder has to take its place in the table
    if (source.folder() == "diffusion") CHECK_MESSAGE(part_of(in_diffusion, source.path) != nullptr, source.path);
  }
}

TEST_CASE("inside tensor/kernels/ includes go downwards") { check_includes(in_kernels); }
