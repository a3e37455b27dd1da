#pragma once
#include <CLI/CLI.hpp>  // the one place that includes CLI11
#include <charconv>
#include <cmath>

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {

// Each adds a subcommand to the program; the subcommand's work is done while the command line is parsed.
void add_train(CLI::App& program);
void add_sample(CLI::App& program);
void add_evaluate(CLI::App& program);
void add_classifier(CLI::App& program);
void add_data(CLI::App& program);
void add_convert(CLI::App& program);
void add_inspect(CLI::App& program);
void add_explain(CLI::App& program);

/// A command that only has others below it: one of them must be named.
inline void need_subcommand(CLI::App* command) {
  command->require_subcommand(0, 1);  // CLI11's own check would hide which word it doesn't know
  command->parse_complete_callback([command] {
    if (!command->get_subcommands().empty()) return;
    std::string known;
    for (const CLI::App* sub : command->get_subcommands({})) known += (known.empty() ? "" : ", ") + sub->get_name();
    throw UsageError("a command is missing; there are ", known);
  });
}

/// A line of help: a name, and beside it a text that stands `indent` columns from the left, in lines of 80 columns.
std::string help_entry(const std::string& name, const std::string& text, std::size_t indent);

/// Help in lines of 80 columns.
class WrappedHelp : public CLI::Formatter {
 public:
  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_subcommand(const CLI::App* command) const override;
};

/// Checks of flags that count something. (CLI11's own are objects, and which file's are made first is the compiler's
/// choice.)
inline std::string whole_number_from(std::uint64_t least, const std::string& text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const bool whole = std::from_chars(text.data(), end, value) == std::from_chars_result{end, std::errc()};
  return whole && value >= least ? "" : concat("\"", text, "\" is no whole number from ", least, " up");
}
inline constexpr auto positive = [](const std::string& text) { return whole_number_from(1, text); };
inline constexpr auto not_negative = [](const std::string& text) { return whole_number_from(0, text); };

/// Checks a number: infinities and NaN are none.
inline constexpr auto finite = [](const std::string& text) -> std::string {
  double value = 0;
  const bool number = CLI::detail::lexical_cast(text, value) && std::isfinite(value);
  return number ? "" : concat("\"", text, "\" is no number");
};

/// --threads N, which every command that works has.
inline void add_threads(CLI::App* command) {
  command
      ->add_option_function<int>("--threads", set_threads,
                                 "Threads to work with; results don't depend on it [all cores]")
      ->type_name("N")
      ->check(CLI::Range(1, 1024).description(""));
}

}  // namespace reverie::inline REVERIE_PRECISION
