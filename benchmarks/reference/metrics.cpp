#include "benchmarks/reference/kinds.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/metrics/frechet.h"
#include "diffusion/metrics/prdc.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void run_fid(Case& c) {
  c.output("fid", std::vector<double>{frechet_distance(c.input("features_a"), c.input("features_b"))});
}

void run_prdc(Case& c) {
  const Prdc result = prdc(c.input("features_a"), c.input("features_b"), c.integer("k"));
  c.output("precision", {mean_of(result.precision)});
  c.output("recall", {mean_of(result.recall)});
  c.output("density", {mean_of(result.density)});
  c.output("coverage", {mean_of(result.coverage)});
}

}  // namespace

Kinds metric_kinds() { return {{"fid", run_fid}, {"prdc", run_prdc}}; }

}  // namespace reverie::inline REVERIE_PRECISION
