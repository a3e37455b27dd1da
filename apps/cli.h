#pragma once
#include <CLI/CLI.hpp>  // the one place that includes CLI11
#include <charconv>
#include <cmath>

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {

// Each function adds a subcommand to the program. The subcommand runs while the command line is parsed.
void add_train(CLI::App& program);
void add_diffuse(CLI::App& program);
void add_sample(CLI::App& program);
void add_evaluate(CLI::App& program);
void add_augment(CLI::App& program);
void add_classifier(CLI::App& program);
void add_detect(CLI::App& program);
void add_data(CLI::App& program);
void add_convert(CLI::App& program);
void add_inspect(CLI::App& program);
void add_report(CLI::App& program);
void add_explain(CLI::App& program);
void add_schedule(CLI::App& program);
void add_plot(CLI::App& program);

/// Adds `data select` to `data`.
void add_select(CLI::App* data);

/// Makes a subcommand of `command` mandatory.
inline void need_subcommand(CLI::App* command) {
  command->require_subcommand(0, 1);  // CLI11's own check wouldn't name the unknown word
  command->parse_complete_callback([command] {
    if (!command->get_subcommands().empty()) return;
    std::string known;
    for (const CLI::App* sub : command->get_subcommands({})) known += (known.empty() ? "" : ", ") + sub->get_name();
    throw UsageError("a command is missing; the commands are ", known);
  });
}

/// Formats an entry of a help text: a name and, indented by `indent` columns, its description, wrapped at 80 columns.
std::string help_entry(const std::string& name, const std::string& text, std::size_t indent);

/// Formats help texts in lines of at most 80 columns.
class WrappedHelp : public CLI::Formatter {
 public:
  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_subcommand(const CLI::App* command) const override;
};

/// Validators of whole numbers. (CLI11's own are global objects whose initialization order across files is
/// unspecified.)
inline std::string whole_number_from(std::uint64_t least, const std::string& text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const bool whole = std::from_chars(text.data(), end, value) == std::from_chars_result{end, std::errc()};
  return whole && value >= least ? "" : concat("\"", text, "\" is not a whole number >= ", least);
}
inline constexpr auto positive = [](const std::string& text) { return whole_number_from(1, text); };
inline constexpr auto not_negative = [](const std::string& text) { return whole_number_from(0, text); };

/// Validator of finite numbers.
inline constexpr auto finite = [](const std::string& text) -> std::string {
  double value = 0;
  const bool number = CLI::detail::lexical_cast(text, value) && std::isfinite(value);
  return number ? "" : concat("\"", text, "\" is not a finite number");
};

/// Validator of sizes in bytes, "500M" or "2G" (of 1024^2 and 1024^3), and their value.
inline double bytes_of(const std::string& text) {
  std::size_t digits = 0;
  while (digits < text.size() && (std::isdigit(static_cast<unsigned char>(text[digits])) != 0 || text[digits] == '.'))
    ++digits;
  double value = 0;
  const std::string unit = text.substr(digits);
  if (!CLI::detail::lexical_cast(text.substr(0, digits), value) || !(value > 0)) return 0;
  return unit == "K" ? value * 0x1p10 : unit == "M" ? value * 0x1p20 : unit == "G" ? value * 0x1p30 : 0;
}
inline constexpr auto memory_size = [](const std::string& text) {
  return bytes_of(text) > 0
             ? ""
             : concat("\"", text, "\" is not a size of memory; expects a number with K, M or G, like 2G");
};

/// Throws UsageError "OPTION: has no effect BECAUSE" if an option was given that isn't used.
inline void require_used(const CLI::App* command, const char* option, bool used, const std::string& because) {
  if (!used && command->count(option) > 0) throw UsageError(option, ": has no effect ", because);
}

/// Makes an empty value an error for all options of a command and its subcommands: an empty name would look like an
/// option that wasn't given.
inline void refuse_empty_values(CLI::App* command) {
  const CLI::Validator not_empty(
      [](const std::string& text) { return text.empty() ? "expects a value, got \"\"" : ""; }, "");
  for (CLI::Option* option : command->get_options([](const CLI::Option* o) { return o->get_type_size() != 0; }))
    option->check(not_empty);
  for (CLI::App* sub : command->get_subcommands({})) refuse_empty_values(sub);
}

/// Adds --threads N.
inline void add_threads(CLI::App* command) {
  command
      ->add_option_function<int>("--threads", set_threads, "Number of threads; results don't depend on it [all cores]")
      ->type_name("N")
      ->check(CLI::Range(1, 1024).description(""));
}

}  // namespace reverie::inline REVERIE_PRECISION
