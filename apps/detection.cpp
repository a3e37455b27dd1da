#include "apps/detection.h"

#include <algorithm>
#include <array>
#include <iomanip>
#include <numeric>
#include <sstream>

#include "apps/files.h"
#include "data/grid.h"
#include "diffusion/metrics/detection.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index replicates = 1000;  // of the bootstrap

bool has_lesion(const ImageSet& set, Index i) {
  const auto mask = set.masks.begin() + i * set.height * set.width;
  return std::any_of(mask, mask + set.height * set.width, [](std::uint8_t value) { return value != 0; });
}

Index rows_of(Index count) { return std::clamp<Index>(count / 2, 1, 8); }
Index cells_of_one(const ImageSet& set) { return set.masks.empty() ? 3 : 4; }

// The images to draw: row by row, one with a high score, one around the median.
std::vector<Index> shown(const DetectionSet& set) {
  std::vector<Index> order(static_cast<std::size_t>(set.count));
  std::iota(order.begin(), order.end(), Index{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](Index a, Index b) { return set.found.scores[a] > set.found.scores[b]; });
  const Index rows = rows_of(set.count);
  std::vector<Index> result;
  for (Index i = 0; i < rows; ++i) {
    result.push_back(order[i]);
    result.push_back(order[std::min(set.count - 1, (set.count - rows) / 2 + i)]);
  }
  return result;
}

// Black, red, yellow, white for 0 to 1, as values in [-1, 1].
void heat(double value, real* colour) {
  for (int c = 0; c < 3; ++c) colour[c] = static_cast<real>(2 * std::clamp(3 * value - c, 0.0, 1.0) - 1);
}

// The map's values that are drawn black and white: 0 (the least, if there are negative ones), and what 99.5% of the
// pixels are below.
std::pair<double, double> range_of(const Tensor& maps) {
  std::vector<real> values(maps.values().begin(), maps.values().end());
  const auto bright = values.begin() + static_cast<std::ptrdiff_t>(0.995 * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), bright, values.end());
  const double low = static_cast<double>(*std::min_element(values.begin(), values.end()));
  return {std::min(0.0, low), static_cast<double>(*bright)};
}

std::string with_interval(const Estimate& e) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(3) << e.value << " (" << e.interval.low << " to " << e.interval.high << ")";
  return text.str();
}

std::string alarms(const DetectionSet& set, const std::vector<Index>& rows) {
  const auto flags = set.flags();
  const Index raised = std::count_if(rows.begin(), rows.end(), [&](Index i) { return flags[i] != 0; });
  return concat(percent(static_cast<double>(raised) / static_cast<double>(rows.size())), " (", raised, " of ",
                rows.size(), ")");
}

std::vector<double> scores_of(const DetectionSet& set, const std::vector<Index>& rows) {
  std::vector<double> scores;
  for (const Index i : rows) scores.push_back(set.found.scores[i]);
  return scores;
}

}  // namespace

std::vector<std::uint8_t> DetectionSet::flags() const {
  std::vector<std::uint8_t> result;
  for (const double score : found.scores) result.push_back(score > *threshold ? 1 : 0);
  return result;
}

void DetectionSet::write(Hdf5File& file) const {
  ImageSet::write(file);
  if (found.maps.defined()) {
    file.write_tensor("maps", found.maps);
    file.write_uint8("healed", {count, height, width, channels}, ImageSet::from(found.healed).images);
  }
  file.write_doubles("scores", {count}, found.scores);
  if (!threshold) return;
  file.write_attribute("scores", "threshold", *threshold);
  file.write_attribute("scores", "alpha", alpha);
  file.write_uint8("flags", {count}, flags());
}

std::vector<bool> anomalous(const ImageSet& set, const std::vector<std::string>& normal) {
  std::vector<bool> result;
  const bool by_class = !set.labels.empty() && !normal.empty();
  if (!by_class && set.masks.empty()) return result;
  for (Index i = 0; i < set.count; ++i) {
    result.push_back(by_class ? std::find(normal.begin(), normal.end(), set.class_names[set.labels[i]]) == normal.end()
                              : has_lesion(set, i));
  }
  return result;
}

Index detection_cells(const ImageSet& set) { return 2 * rows_of(set.count) * cells_of_one(set); }

Picture detection_picture(const DetectionSet& set) {
  const Index pixels = set.height * set.width, each = cells_of_one(set);
  const std::vector<Index> images = shown(set);
  const auto [black, white] = range_of(set.found.maps);
  Tensor cells = Tensor::uninitialized({std::ssize(images) * each, set.height, set.width, 3});
  for (Index i = 0; i < std::ssize(images); ++i) {
    const Index n = images[i];
    const Tensor image = drawn_channels(set.batch(std::vector{n})),
                 healed = drawn_channels(set.found.healed.rows(n, n + 1));
    const Index channels = image.extent(3);
    for (Index p = 0; p < pixels; ++p) {
      const auto cell = [&](Index column) { return cells.data() + ((i * each + column) * pixels + p) * 3; };
      for (Index c = 0; c < 3; ++c) {
        cell(0)[c] = image[p * channels + c % channels];
        cell(1)[c] = healed[p * channels + c % channels];
      }
      const double value = static_cast<double>(set.found.maps[n * pixels + p]);
      heat(white > black ? (value - black) / (white - black) : 0, cell(2));
      if (!set.masks.empty()) heat(set.masks[n * pixels + p] != 0 ? 1 : 0, cell(3));
    }
  }
  return grid(cells, 2 * each);
}

std::string image_table(const DetectionSet& set, const std::vector<bool>& sick, bool by_class) {
  std::vector<Index> normal, all;
  std::vector<std::vector<Index>> kinds(by_class ? set.class_names.size() : 0);
  for (Index i = 0; i < set.count; ++i) {
    (sick[i] ? all : normal).push_back(i);
    if (sick[i] && by_class) kinds[set.labels[i]].push_back(i);
  }
  std::ostringstream out;
  const auto line = [&](const std::string& name, const std::string& number, const std::string& area,
                        const std::string& flagged) {
    out << "  " << std::left << std::setw(20) << name << std::right << std::setw(7) << number << "  " << std::setw(22)
        << area << (flagged.empty() ? "" : "  ") << flagged << "\n";
  };
  const auto row = [&](const std::string& name, const std::vector<Index>& rows, bool area) {
    if (rows.empty()) return;
    line(printable(name), std::to_string(rows.size()),
         area ? with_interval(bootstrap_auroc(scores_of(set, normal), scores_of(set, rows), replicates, 0)) : "",
         set.threshold ? alarms(set, rows) : "");
  };
  line("images", "number", "AUROC (95% interval)", set.threshold ? "flagged" : "");
  row("normal", normal, false);
  for (std::size_t k = 0; k < kinds.size(); ++k) row(set.class_names[k], kinds[k], !normal.empty());
  const auto found = std::count_if(kinds.begin(), kinds.end(), [](const auto& rows) { return !rows.empty(); });
  if (found != 1) row("all anomalous", all, !normal.empty());
  if (all.empty() || normal.empty())
    out << "  no image is " << (all.empty() ? "anomalous" : "normal") << ", so there is no AUROC\n";
  return out.str();
}

std::string pixel_table(const DetectionSet& set) {
  const auto marked = std::count_if(set.masks.begin(), set.masks.end(), [](std::uint8_t value) { return value != 0; });
  if (marked == 0) return "  no pixel is marked by a mask, so there is no AUPRC\n";
  const std::vector<double> values(set.found.maps.values().begin(), set.found.maps.values().end());
  const auto [precision, dice, threshold] = bootstrap_precision_recall(values, set.masks, set.count, 200, 0);
  std::ostringstream out;
  out << std::setprecision(3) << "  pixels: AUPRC " << with_interval(precision) << ", by chance "
      << static_cast<double>(marked) / static_cast<double>(values.size()) << "; best Dice " << with_interval(dice)
      << " for maps of at least " << threshold << "\n";
  return out.str();
}

std::string alarms(const DetectionSet& set) {
  std::vector<Index> rows(static_cast<std::size_t>(set.count));
  std::iota(rows.begin(), rows.end(), Index{0});
  return alarms(set, rows);
}

std::string percent(double share) {
  std::ostringstream text;
  text << std::setprecision(3) << 100 * share << "%";
  return text.str();
}

}  // namespace reverie::inline REVERIE_PRECISION
