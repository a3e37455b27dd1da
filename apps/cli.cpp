#include "apps/cli.h"

#include <sstream>

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr std::size_t columns = 80;

// Breaks lines between words so that none is longer than `width`.
std::string wrapped(const std::string& text, std::size_t width) {
  std::istringstream lines(text);
  std::string result;
  for (std::string given; std::getline(lines, given);) {
    if (!result.empty()) result += '\n';
    std::istringstream words(given);
    std::string line;
    for (std::string word; words >> word; line += (line.empty() ? "" : " ") + word) {
      if (line.empty() || line.size() + 1 + word.size() <= width) continue;
      result += line + '\n';
      line.clear();
    }
    result += line;
  }
  return result;
}

}  // namespace

std::string help_entry(const std::string& name, const std::string& text, std::size_t indent) {
  std::ostringstream out;
  CLI::detail::format_help(out, name, wrapped(text, columns - indent), indent);
  return out.str();
}

std::string WrappedHelp::make_option_desc(const CLI::Option* option) const {
  return wrapped(option->get_description(), columns - get_column_width());
}

std::string WrappedHelp::make_subcommand(const CLI::App* command) const {
  return help_entry(command->get_name(), command->get_description(), get_column_width());
}

}  // namespace reverie::inline REVERIE_PRECISION
