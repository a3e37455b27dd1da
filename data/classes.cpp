#include "data/classes.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Whether the names are "0", "1", ..., which data without names get.
bool are_numbers(const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] != std::to_string(i)) return false;
  return true;
}

using Numbers = std::map<std::string, Index>;

Numbers numbers_of(const std::vector<std::string>& names, const std::string& whose) {
  Numbers numbers;
  for (const std::string& name : names) {
    if (!numbers.emplace(name, std::ssize(numbers)).second)
      throw UsageError(whose, ": two classes are called \"", name, "\"; classes are matched by name");
  }
  return numbers;
}

// Lists the names that are missing among `known`: "; VERB "a", "b" and 3 more". Empty if there are none.
std::string absent(const char* verb, const std::vector<std::string>& names, const Numbers& known) {
  constexpr int shown = 10;
  int count = 0;
  std::string text;
  for (const std::string& name : names) {
    if (known.contains(name)) continue;
    if (++count <= shown) text += concat(count == 1 ? concat("; ", verb, " ") : ", ", '"', name, '"');
  }
  return count > shown ? concat(text, " and ", count - shown, " more") : text;
}

}  // namespace

std::vector<Index> match_classes(const std::vector<std::string>& names, const std::string& whose,
                                 const std::vector<std::string>& expected, const std::string& whose_expected) {
  std::vector<Index> result(names.size());
  std::iota(result.begin(), result.end(), Index{0});
  if (names == expected) return result;
  const Numbers own = numbers_of(names, whose), numbers = numbers_of(expected, whose_expected);
  const auto common =
      std::count_if(names.begin(), names.end(), [&](const auto& name) { return numbers.contains(name); });
  const bool unnamed = are_numbers(names) || are_numbers(expected);
  if (unnamed && common == 0 && names.size() == expected.size()) return result;
  if (common != std::ssize(names) || common != std::ssize(expected)) {
    throw UsageError(whose, ": has ", names.size(), " classes, ", whose_expected, " has ", expected.size(),
                     absent("missing", expected, own), absent("unexpected", names, numbers));
  }
  for (std::size_t i = 0; i < names.size(); ++i) result[i] = numbers.at(names[i]);
  return result;
}

std::vector<Index> labels_among(const Dataset& set, const std::string& whose, const std::vector<std::string>& expected,
                                const std::string& whose_expected) {
  if (set.labels.empty()) {
    throw UsageError(whose, ": has no labels; expects the ", expected.size(), " classes of ", whose_expected);
  }
  const std::vector<Index> numbers = match_classes(set.class_names, whose, expected, whose_expected);
  std::vector<Index> labels;
  for (const Index label : set.labels) labels.push_back(numbers[label]);
  return labels;
}

}  // namespace reverie::inline REVERIE_PRECISION
