#pragma once
#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "diffusion/tables/table.h"

namespace reverie::inline REVERIE_PRECISION {

/// Values of parameters by name.
using OptionValues = std::map<std::string, double, std::less<>>;

/// A parameter that the caller may set.
struct OptionInfo {
  const char* name;
  double value;  ///< if the caller says nothing
  const char* meaning;
};

/// The given values, and the table's for parameters that are not given. `what` names the parameters' owner in the
/// UsageError for a parameter that it hasn't got.
inline OptionValues complete(const std::string& what, std::span<const OptionInfo> known,
                                const OptionValues& given) {
  for (const auto& [key, value] : given) {
    if (known.empty()) throw UsageError(what, " has no parameters; ", key, " was given");
    find_line(("parameter of " + what).c_str(), known, key);
  }
  OptionValues values = given;
  for (const OptionInfo& parameter : known) values.try_emplace(parameter.name, parameter.value);
  return values;
}

/// Every parameter that some line of a table has, once each, in the table's order.
template <class Line>
std::vector<OptionInfo> all_options(std::span<const Line> table) {
  std::vector<OptionInfo> all;
  for (const Line& line : table) {
    for (const OptionInfo& parameter : line.parameters) {
      const auto same = [&](const OptionInfo& other) { return std::string_view(parameter.name) == other.name; };
      if (std::none_of(all.begin(), all.end(), same)) all.push_back(parameter);
    }
  }
  return all;
}

/// What parameters the lines of a table have, and their values if the caller says nothing: "sigmoid: start = -3, end =
/// 3; ...", for those who write configurations.
template <class Line>
std::string options_in(std::span<const Line> table) {
  std::string all;
  for (const Line& line : table) {
    std::string own;
    for (const OptionInfo& p : line.parameters) own += concat(own.empty() ? "" : ", ", p.name, " = ", p.value);
    if (!own.empty()) all += concat(all.empty() ? "" : "; ", line.name, ": ", own);
  }
  return all;
}

}  // namespace reverie::inline REVERIE_PRECISION
