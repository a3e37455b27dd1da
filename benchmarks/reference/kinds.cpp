#include "benchmarks/reference/kinds.h"

#include <chrono>

namespace reverie::inline REVERIE_PRECISION {
namespace {

const Kind* find_kind(const std::string& name) {
  static const Kinds all = [] {
    Kinds all;
    for (const Kinds& some : {schedule_kinds(), process_kinds(), loss_kinds(), formulation_kinds(), sampler_kinds(),
                              op_kinds(), network_kinds(), training_kinds(), metric_kinds()}) {
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }();
  for (const Kind& kind : all) {
    if (name == kind.name) return &kind;
  }
  return nullptr;
}

}  // namespace

CaseInfo case_info(const std::string& path) { return Case(path).info(); }

CaseResult run_case(const std::string& path) {
  using Clock = std::chrono::steady_clock;
  Case c(path);
  const Kind* kind = find_kind(c.info().kind);
  if (kind == nullptr) return {.verdict = Verdict::unsupported};
  const auto start = Clock::now();
  CaseResult result;
  try {
    kind->run(c);
    result = c.result();
  } catch (const std::exception& error) {
    result = {.verdict = Verdict::fail, .why = error.what()};
  }
  result.milliseconds = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
