#include "tests/tour/page.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <regex>

#include "tests/helpers.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

/// A number as it is printed: its value, and half a unit of its last digit.
struct Printed {
  double value, tolerance;
};

Printed parse(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ','), text.end());
  text = std::regex_replace(text, std::regex(R"( ?\\cdot 10\^\{?(-?\d+)\}?)"), "e$1");
  const std::size_t exponent_at = text.find('e'), point = text.find('.');
  const double exponent = exponent_at == text.npos ? 0 : std::stod(text.substr(exponent_at + 1));
  const std::size_t end = std::min(exponent_at, text.size());
  const double decimals = point == text.npos ? 0 : static_cast<double>(end - point - 1);
  return {std::stod(text), 0.5 * std::pow(10, exponent - decimals)};
}

// A pattern for the text: every {} a number, every space any white space, all else as it stands.
std::regex pattern_of(const std::string& text) {
  std::string pattern;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "{}") == 0) {
      pattern += R"((-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+| ?\\cdot 10\^\{?-?\d+\}?)?))";
      ++i;
    } else if (text[i] == ' ') {
      pattern += R"(\s+)";
    } else {
      if (std::string(R"(\^$.|?*+()[]{})").find(text[i]) != std::string::npos) pattern += '\\';
      pattern += text[i];
    }
  }
  return std::regex(pattern);
}

}  // namespace

Page::Page(const std::string& file)
    : file_("docs/tour/" + file), text_(read_text(std::string(std::getenv("REVERIE_SOURCE_ROOT")) + "/" + file_)) {
  REQUIRE_MESSAGE(!text_.empty(), file_);
}

void Page::says(const std::string& text, const std::vector<double>& values) const {
  const std::regex pattern = pattern_of(text);
  const std::sregex_iterator begin(text_.begin(), text_.end(), pattern), end;
  const auto count = std::distance(begin, end);
  CHECK_MESSAGE(count == 1, file_, ": \"", text, "\" occurs ", count, " times, expects once");
  if (count != 1) return;
  REQUIRE_MESSAGE(begin->size() == values.size() + 1, file_, ": \"", text, "\" and the number of values");
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Printed printed = parse((*begin)[i + 1]);
    CHECK_MESSAGE(std::abs(printed.value - values[i]) <= 1.02 * printed.tolerance, file_, ": \"", text, "\": number ",
                  i + 1, " is ", (*begin)[i + 1].str(), ", computed ", values[i]);
  }
}

}  // namespace reverie::inline REVERIE_PRECISION
