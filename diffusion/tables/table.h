#pragma once
#include <span>
#include <string>
#include <string_view>

#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {

/// The names of a table's rows, "linear, cosine, ...".
template <class Line>
std::string names_in(std::span<const Line> table) {
  std::string names;
  for (const Line& line : table) names += (names.empty() ? "" : ", ") + std::string(line.name);
  return names;
}

/// Looks up the row called `name` in a table whose rows have a member `name`; throws UsageError listing the valid
/// names. Schedules, predictions, losses and samplers are such tables; the program, its help and the tests iterate over
/// them.
template <class Line>
const Line& find_line(const char* what, std::span<const Line> table, std::string_view name) {
  for (const Line& line : table) {
    if (name == line.name) return line;
  }
  throw UsageError("unknown ", what, " \"", name, "\"; there are: ", names_in(table));
}

}  // namespace reverie::inline REVERIE_PRECISION
