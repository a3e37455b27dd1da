#pragma once
#include <string>

/// What the program and the code that runs cases, which is compiled once for each precision, tell one another.
namespace reverie {

/// What decides whether and where a case runs.
struct CaseInfo {
  std::string kind;
  bool in_float32;  ///< the precision that it runs in: float32, else float64
};

enum class Verdict { pass, fail, unsupported };

/// What came of a case: the largest errors over all its outputs, and for a case that failed why it did.
struct CaseResult {
  Verdict verdict;
  double abs = 0, rel = 0, milliseconds = 0;
  std::string why = {};
};

}  // namespace reverie
