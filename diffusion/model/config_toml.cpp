// Configurations as TOML: reading, setting a key, writing.
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "data/input_file.h"
#include "diffusion/model/config.h"
#include "diffusion/model/config_suggestions.h"
#include "tensor/decimal.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;  // Clang 14 requires the guide

constexpr std::uint64_t max_text = 1 << 20;

// Keys of older versions, still present in old checkpoints.
const std::map<std::string, std::string> renamed_keys = {{"train.lanes", "train.accumulators"}};

std::string current_key(const std::string& key) {
  const auto renamed = renamed_keys.find(key);
  return renamed == renamed_keys.end() ? key : renamed->second;
}

[[noreturn]] void unknown_key(const std::string& origin, const std::string& key,
                              const std::vector<ConfigField>& fields) {
  throw UsageError(origin, ": unknown key `", key, "`; did you mean `", nearest_key(key, fields), "`?");
}

// TOML is UTF-8, so other text could not be read back. toml++ finds that out when it reads.
bool is_utf8(const std::string& text) {
  std::string printable = text;
  for (char& c : printable) c = static_cast<unsigned char>(c) < 0x80 ? ' ' : c;
  try {
    return toml::parse("# " + printable).empty();
  } catch (const toml::parse_error&) {
    return false;
  }
}

template <class T>
T number(const toml::node& node, const std::string& where) {
  if constexpr (std::is_integral_v<T>) {
    if (node.is_integer()) return static_cast<T>(node.as_integer()->get());
    throw UsageError(where, " expects a whole number");
  } else {
    const double value = node.value<double>().value_or(NAN);
    if (std::isfinite(value)) return value;
    throw UsageError(where, " expects a number");
  }
}

template <class T>
void assign(std::vector<T>& list, const toml::node& node, const std::string& where) {
  if (!node.is_array()) throw UsageError(where, " expects a list, like [1, 2]");
  list.clear();
  for (const toml::node& item : *node.as_array()) list.push_back(number<T>(item, where));
}

void assign(const ConfigField& field, const toml::node& node, const std::string& origin) {
  const std::string where = origin + ": `" + field.key + "`";
  std::visit(Overloaded{[&](std::string* text) {
                          if (!node.is_string()) throw UsageError(where, " expects a string in quotes");
                          *text = node.as_string()->get();
                        },
                        [&](bool* flag) {
                          if (!node.is_boolean()) throw UsageError(where, " expects true or false");
                          *flag = node.as_boolean()->get();
                        },
                        [&](Index* value) { *value = number<Index>(node, where); },
                        [&](double* value) { *value = number<double>(node, where); },
                        [&](std::vector<Index>* list) { assign(*list, node, where); },
                        [&](std::vector<double>* list) { assign(*list, node, where); },
                        [&](OptionValues* values) {
                          if (!node.is_table()) throw UsageError(where, " expects a table, like { start = -3 }");
                          values->clear();
                          for (const auto& [name, item] : *node.as_table()) {
                            (*values)[std::string(name.str())] = number<double>(item, where);
                          }
                        }},
             field.target);
}

void assign_all(const std::vector<ConfigField>& fields, const toml::table& table, const std::string& origin,
                const std::string& prefix) {
  for (const auto& [name, node] : table) {
    const std::string key = current_key(prefix + std::string(name.str()));
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const ConfigField& f) { return f.key == key; });
    if (field != fields.end()) {
      assign(*field, node, origin);
    } else if (node.is_table() && prefix.empty()) {
      assign_all(fields, *node.as_table(), origin, key + ".");
    } else {
      unknown_key(origin, key, fields);
    }
  }
}

// Each dot of a key makes a table inside a table, and toml++ overflows the stack on ten thousands of them.
void require_shallow(const std::string& text, const std::string& origin) {
  constexpr Index max_dots = 1000;
  Index line = 1, dots = 0;
  for (const char c : text) {
    if (c == '\n') ++line, dots = 0;
    if (c == '.' && ++dots > max_dots) throw UsageError(origin, ":", line, ": has more than ", max_dots, " dots");
  }
}

toml::table parse_toml(const std::string& text, const std::string& origin) {
  require_shallow(text, origin);
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw UsageError(origin, ":", error.source().begin.line, ": ", error.description());
  }
}

std::string quoted(const std::string& text) {
  std::ostringstream out;
  out << toml::value<std::string>(text);
  return out.str();
}

// A key as TOML has it: in quotes unless it has only letters, digits, - and _.
std::string key_text(const std::string& key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_';
  });
  return bare ? key : quoted(key);
}

template <class T>
std::string listed(const std::vector<T>& list) {
  std::string text;
  for (const T& item : list) {
    text += text.empty() ? "" : ", ";
    if constexpr (std::is_integral_v<T>) {
      text += std::to_string(item);
    } else {
      text += decimal(item);
    }
  }
  return "[" + text + "]";
}

}  // namespace

std::string field_text(const ConfigField& field) {
  return std::visit(Overloaded{[](const std::string* text) { return quoted(*text); },
                               [](const bool* flag) { return std::string(*flag ? "true" : "false"); },
                               [](const Index* value) { return std::to_string(*value); },
                               [](const double* value) { return decimal(*value); },
                               [](const std::vector<Index>* list) { return listed(*list); },
                               [](const std::vector<double>* list) { return listed(*list); },
                               [](const OptionValues* values) {
                                 std::string text;
                                 for (const auto& [name, value] : *values) {
                                   text += (text.empty() ? " " : ", ") + key_text(name) + " = " + decimal(value);
                                 }
                                 return text.empty() ? std::string("{}") : "{" + text + " }";
                               }},
                    field.target);
}

Config parse_config(const std::string& text, const std::string& origin) {
  Config config;
  assign_all(config_fields(config), parse_toml(text, origin), origin, "");
  return config;
}

Config load_config(const std::string& path) {
  std::string text;
  try {
    text = InputFile(path).text(max_text);
  } catch (const Error& error) {
    throw UsageError(error.what(), "; expects a configuration file, like configs/digits.toml");
  }
  return parse_config(text, path);
}

void set_config(Config& config, const std::string& assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) throw UsageError("--set ", assignment, ": expects key=value");
  const std::string key = current_key(assignment.substr(0, equals)), value = assignment.substr(equals + 1),
                    origin = "--set " + assignment;
  const auto fields = config_fields(config);
  const auto field = std::find_if(fields.begin(), fields.end(), [&](const ConfigField& f) { return f.key == key; });
  if (field == fields.end()) unknown_key("--set", key, fields);
  const bool text = std::holds_alternative<std::string*>(field->target);
  const bool quoted = !value.empty() && (value.front() == '"' || value.front() == '\'');
  if (text && !quoted && !is_utf8(value)) throw UsageError(origin, ": expects text in UTF-8");
  const toml::table table = text && !quoted ? toml::table{{"value", value}} : parse_toml("value = " + value, origin);
  std::string sampler = config.sample.sampler;
  assign(*field, *table.get("value"), origin);
  std::swap(config.sample.sampler, sampler);
  choose_sampler(config.sample, sampler);
}

void set_config(Config& config, std::vector<std::string> assignments) {
  std::stable_partition(assignments.begin(), assignments.end(),
                        [](const std::string& assignment) { return assignment.starts_with("sample.sampler="); });
  for (const std::string& assignment : assignments) set_config(config, assignment);
}

std::string config_text(const Config& config, bool explain) {
  Config copy = config;  // the fields point into a mutable configuration
  std::string text, section;
  for (const ConfigField& field : config_fields(copy)) {
    const auto dot = field.key.find('.');
    if (field.key.substr(0, dot) != section) {
      section = field.key.substr(0, dot);
      text += (text.empty() ? "[" : "\n[") + section + "]\n";
    }
    text += field.key.substr(dot + 1) + " = " + field_text(field) + (explain ? "  # " + field.meaning : "") + "\n";
  }
  return text;
}

}  // namespace reverie::inline REVERIE_PRECISION
