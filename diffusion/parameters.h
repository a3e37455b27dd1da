#pragma once
#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "diffusion/table.h"

namespace reverie::inline REVERIE_PRECISION {

/// Values of parameters by name.
using ParameterValues = std::map<std::string, double, std::less<>>;

/// A parameter that the caller may set.
struct ParameterInfo {
  const char* name;
  double value;  ///< if the caller says nothing
  const char* meaning;
};

/// The given values, and the table's for parameters that are not given. `what` names the parameters' owner in the
/// UsageError for a parameter that it hasn't got.
inline ParameterValues complete(const std::string& what, std::span<const ParameterInfo> known,
                                const ParameterValues& given) {
  for (const auto& [key, value] : given) {
    if (known.empty()) throw UsageError(what, " has no parameters; ", key, " was given");
    find_line(("parameter of " + what).c_str(), known, key);
  }
  ParameterValues values = given;
  for (const ParameterInfo& parameter : known) values.try_emplace(parameter.name, parameter.value);
  return values;
}

/// Every parameter that some line of a table has, once each, in the table's order.
template <class Line>
std::vector<ParameterInfo> all_parameters(std::span<const Line> table) {
  std::vector<ParameterInfo> all;
  for (const Line& line : table) {
    for (const ParameterInfo& parameter : line.parameters) {
      const auto same = [&](const ParameterInfo& other) { return std::string_view(parameter.name) == other.name; };
      if (std::none_of(all.begin(), all.end(), same)) all.push_back(parameter);
    }
  }
  return all;
}

/// What parameters the lines of a table have, and their values if the caller says nothing: "sigmoid: start = -3, end =
/// 3; ...", for those who write configurations.
template <class Line>
std::string parameters_in(std::span<const Line> table) {
  std::string all;
  for (const Line& line : table) {
    std::string own;
    for (const ParameterInfo& p : line.parameters) own += concat(own.empty() ? "" : ", ", p.name, " = ", p.value);
    if (!own.empty()) all += concat(all.empty() ? "" : "; ", line.name, ": ", own);
  }
  return all;
}

}  // namespace reverie::inline REVERIE_PRECISION
