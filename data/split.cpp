#include "data/split.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "data/subset.h"
#include "data/tokenizer.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

RandomKey split_key(std::uint64_t seed) { return {.seed = seed, .stream = Stream::subset, .channel = 1}; }
RandomKey shuffle_key(std::uint64_t seed) { return {.seed = seed, .stream = Stream::subset, .channel = 2}; }

// Takes groups in random order as long as they bring the number of images nearer to `target`.
std::vector<bool> hold_out_groups(std::span<const Index> groups, Index target, std::uint64_t seed) {
  const Index images = std::ssize(groups), count = *std::max_element(groups.begin(), groups.end()) + 1;
  std::vector<Index> sizes(static_cast<std::size_t>(count));
  for (const Index group : groups) ++sizes.at(static_cast<std::size_t>(group));
  std::vector<Index> order = permutation(split_key(seed), count);
  std::erase_if(order, [&](Index group) { return sizes[group] == 0; });
  if (order.size() < 2) throw UsageError("a split by group expects two groups or more; all images are of one group");
  std::vector<bool> held_group(sizes.size());
  Index held = 0;
  for (const Index group : order) {
    const Index with = held + sizes[group];
    if (with == images || std::abs(with - target) >= std::abs(held - target)) continue;
    held_group[group] = true;
    held = with;
  }
  if (held == 0) {  // every group is large: the smallest
    held_group[*std::min_element(order.begin(), order.end(), [&](Index a, Index b) { return sizes[a] < sizes[b]; })] =
        true;
  }
  std::vector<bool> held_out;
  for (const Index group : groups) held_out.push_back(held_group[group]);
  return held_out;
}

// Takes images at even distances from a list that is sorted by class, and random within each class.
std::vector<bool> hold_out_images(const ImageSet& set, Index target, std::uint64_t seed) {
  std::vector<Index> order = permutation(split_key(seed), set.count);
  if (!set.labels.empty()) {
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return set.labels[a] < set.labels[b]; });
  }
  std::vector<bool> held_out(order.size());
  for (Index i = 0; i < set.count; ++i)
    held_out[order[i]] =
        (2 * (i + 1) * target + set.count) / (2 * set.count) != (2 * i * target + set.count) / (2 * set.count);
  return held_out;
}

// Returns those images to training that are the only ones to show a class, or a word of a caption: a model can't be
// tested on what it can't have learned. Others are held out in their place, as far as there are any.
void keep_classes_and_words(const ImageSet& set, std::uint64_t seed, std::vector<bool>& held_out) {
  std::vector<std::set<std::string>> shown(held_out.size());  // the class and the words of each image
  std::map<std::string, Index> in_training;
  for (Index i = 0; i < set.count; ++i) {
    if (!set.captions.empty()) {
      const std::vector<std::string> words = caption_words(set.captions[i]);
      shown[i] = {words.begin(), words.end()};
    }
    if (!set.labels.empty()) shown[i].insert(concat("class ", set.labels[i]));  // a word has no space
    for (const std::string& what : shown[i]) in_training[what] += held_out[i] ? 0 : 1;
  }
  const auto others_show = [&](Index image, Index others) {
    return std::all_of(shown[image].begin(), shown[image].end(),
                       [&](const std::string& what) { return in_training[what] >= others; });
  };
  const auto move = [&](Index image, bool out) {
    held_out[image] = out;
    for (const std::string& what : shown[image]) in_training[what] += out ? -1 : 1;
  };
  Index returned = 0;
  for (Index i = 0; i < set.count; ++i) {
    if (!held_out[i] || others_show(i, 1)) continue;
    move(i, false);
    ++returned;
  }
  for (const Index i : permutation(split_key(seed), set.count)) {
    if (returned == 0) break;
    if (held_out[i] || !others_show(i, 2)) continue;
    move(i, true);
    --returned;
  }
}

}  // namespace

std::pair<ImageSet, ImageSet> split_validation(ImageSet set, std::span<const Index> groups, double share,
                                               std::uint64_t seed) {
  if (!(share > 0 && share < 1)) throw UsageError("expects a share for validation between 0 and 1, got ", share);
  if (set.count < 2) throw UsageError("a set of one image can't be split");
  if (!groups.empty() && std::ssize(groups) != set.count)
    throw Error("split: there are ", groups.size(), " groups for ", set.count, " images");
  const Index target = std::clamp<Index>(std::lround(share * static_cast<double>(set.count)), Index{1}, set.count - 1);
  std::vector<bool> held_out =
      groups.empty() ? hold_out_images(set, target, seed) : hold_out_groups(groups, target, seed);
  if (groups.empty()) keep_classes_and_words(set, seed, held_out);
  std::vector<Index> rows[2];
  for (Index i = 0; i < set.count; ++i) rows[held_out[i] ? 1 : 0].push_back(i);
  return {images_of(set, rows[0]), images_of(set, rows[1])};
}

std::vector<std::string> missing_classes(const Dataset& set) {
  std::vector<bool> present(set.class_names.size());
  for (const Index label : set.labels) present[label] = true;
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < present.size(); ++i)
    if (!present[i]) missing.push_back(set.class_names[i]);
  return missing;
}

ImageSet shuffled(const ImageSet& set, std::uint64_t seed) {
  return images_of(set, permutation(shuffle_key(seed), set.count));
}

std::vector<std::string> distinct(std::vector<std::string> names) {
  const auto is_number = [](const std::string& name) {
    return !name.empty() && name.find_first_not_of("0123456789") == name.npos;
  };
  const bool by_value = std::all_of(names.begin(), names.end(), is_number);
  std::sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
    return by_value && a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<Index> numbered(const std::vector<std::string>& names) {
  std::map<std::string, Index> numbers;
  for (const std::string& name : distinct(names)) numbers.emplace(name, std::ssize(numbers));
  std::vector<Index> result;
  for (const std::string& name : names) result.push_back(numbers.at(name));
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
