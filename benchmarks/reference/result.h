#pragma once
#include <string>

/// The types shared by the program and the code that runs cases, which is compiled once for each precision.
namespace reverie {

/// The properties that decide whether and in which precision a case runs.
struct CaseInfo {
  std::string kind;
  bool in_float32;  ///< runs in float32, else in float64
};

enum class Verdict { pass, fail, unsupported };

/// The outcome of a case: the largest errors over all its outputs, and why it failed if it did.
struct CaseResult {
  Verdict verdict;
  double abs = 0, rel = 0, milliseconds = 0;
  std::string why = {};
};

}  // namespace reverie
