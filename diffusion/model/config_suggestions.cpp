#include "diffusion/model/config_suggestions.h"

#include <algorithm>
#include <map>

#include "data/edit_distance.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

using Words = std::vector<std::string>;

Words words_of(const std::string& name) {
  // Other programs' words for the same thing; no rule on letters finds these.
  static const std::map<std::string, std::string> synonyms = {
      {"epochs", "steps"}, {"iterations", "steps"}, {"iters", "steps"}, {"layers", "depth"}, {"width", "hidden"}};
  Words words(1);
  for (const char c : name) {
    if (c == '_' || c == '-') {
      words.emplace_back();
    } else {
      words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  for (std::string& word : words) {
    if (const auto known = synonyms.find(word); known != synonyms.end()) word = known->second;
  }
  return words;
}

std::string joined(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : "_") + word;
  return text;
}

std::string initials(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += word.substr(0, 1);
  return text;
}

// Whether one word begins with the other: n and num, sched and schedule, rates and rate.
bool same_beginning(const std::string& given, const std::string& word) {
  return !given.empty() && (word.starts_with(given) || (word.size() >= 3 && given.starts_with(word)));
}

bool letters_in_order(const std::string& letters, const std::string& text) {
  std::size_t at = 0;
  for (const char c : text) at += at < letters.size() && c == letters[at] ? 1 : 0;
  return at == letters.size();
}

// How far a given name is from a key's name: 0 equal, 2 misspelled or abbreviated, ... 10 unlike.
int distance(const Words& given, const Words& key) {
  const std::string given_name = joined(given), key_name = joined(key);
  if (given_name == key_name) return 0;
  if (given_name.size() >= 4 && edit_distance(given_name, key_name) <= std::max<std::size_t>(1, key_name.size() / 4)) {
    return 2;
  }
  if (key.size() > 1 && given_name == initials(key)) return 2;
  const auto in_key = [&](const std::string& word) {
    return std::any_of(key.begin(), key.end(), [&](const std::string& other) { return same_beginning(word, other); });
  };
  if (std::all_of(given.begin(), given.end(), in_key)) return same_beginning(given[0], key[0]) ? 2 : 3;
  if (given.size() == 1 && given_name.ends_with(key_name)) return 2;  // timesteps
  if (given_name[0] == key_name[0] && letters_in_order(given_name, key_name)) return 4;
  if (given[0] == key[0] && (key.size() > 1 || given.size() == 1)) return 6;  // noise_schedule is no noise
  const bool shared = std::any_of(given.begin(), given.end(), [&](const std::string& word) {
    return word.size() >= 4 && std::find(key.begin(), key.end(), word) != key.end();
  });
  return shared ? 8 : 10;
}

}  // namespace

std::string nearest_key(const std::string& unknown, const std::vector<ConfigField>& fields) {
  const auto dot = unknown.rfind('.');
  const std::string section = dot == std::string::npos ? "" : unknown.substr(0, dot + 1);
  const Words given = words_of(unknown.substr(section.size()));
  const auto rank = [&](const ConfigField& field) {
    const Words key = words_of(field.key.substr(field.key.find('.') + 1));
    const bool elsewhere = !section.empty() && !field.key.starts_with(section);
    return std::pair(distance(given, key) + (elsewhere ? 3 : 0), edit_distance(unknown, field.key));
  };
  return std::min_element(fields.begin(), fields.end(),
                          [&](const ConfigField& a, const ConfigField& b) { return rank(a) < rank(b); })
      ->key;
}

}  // namespace reverie::inline REVERIE_PRECISION
