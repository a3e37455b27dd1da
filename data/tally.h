#pragma once
#include <map>
#include <string>

#include "tensor/error.h"
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Counts by reason, with the name of the first file, folder or line.
class Tally {
 public:
  void add(const std::string& reason, const std::string& name) {
    auto& [count, first] = counts_[reason];
    if (count++ == 0) first = name;
  }
  /// "2 hidden (first: .cache), 1 not PNG (first: a.jpg)"; empty if there are none.
  std::string text() const {
    std::string text;
    for (const auto& [reason, entry] : counts_)
      text += concat(text.empty() ? "" : ", ", entry.first, " ", reason, " (first: ", entry.second, ")");
    return text;
  }

 private:
  std::map<std::string, std::pair<Index, std::string>> counts_;
};

}  // namespace reverie::inline REVERIE_PRECISION
