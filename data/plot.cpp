#include "data/plot.h"

#include <algorithm>
#include <cmath>
#include <iomanip>

#include "data/atomic_file.h"
#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr double width = 800, height = 480, left = 80, right = 24, top = 48, bottom = 64;
constexpr const char* colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd",
                                   "#ff7f0e", "#17becf", "#8c564b", "#e377c2"};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}

// Returns about six values in [low,high], spaced by 1, 2 or 5 times a power of ten.
std::vector<double> round_values(double low, double high) {
  const double rough = (high - low) / 6, power = std::pow(10, std::floor(std::log10(rough)));
  const double digit = rough <= power ? 1 : rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10, step = digit * power;
  std::vector<double> values;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) values.push_back(k * step);
  return values;
}

/// One axis: its range of values [low,high] (of log10 on a logarithmic axis), and its pixels [from,to].
struct Axis {
  bool logarithmic;
  double from, to, low = INFINITY, high = -INFINITY;

  double scaled(double value) const { return logarithmic ? (value > 0 ? std::log10(value) : NAN) : value; }
  void include(double value) {
    if (!std::isfinite(scaled(value))) return;
    low = std::min(low, scaled(value));
    high = std::max(high, scaled(value));
  }
  void finish() {
    if (!(low <= high)) low = 0, high = 1;  // no values
    if (low == high) low -= 0.5, high += 0.5;
  }
  double pixel(double value) const { return from + (scaled(value) - low) / (high - low) * (to - from); }

  // Powers of ten on a logarithmic axis, with values between them if there is room; else about six round values.
  std::vector<double> ticks() const {
    if (!logarithmic) return round_values(low, high);
    const bool narrow = high - low < 2;
    const double apart = std::ceil((high - low) / 10);
    std::vector<double> values;
    for (double decade = std::floor(low); decade <= high; decade += apart) {
      for (const double digit : {1.0, 2.0, 3.0, 5.0, 7.0}) {
        const double value = digit * std::pow(10, decade);
        if ((digit == 1 || narrow) && scaled(value) >= low && scaled(value) <= high) values.push_back(value);
      }
    }
    return values.size() >= 2 ? values : round_values(std::pow(10, low), std::pow(10, high));
  }
};

std::string line(double x1, double y1, double x2, double y2, const char* colour) {
  return concat("<line x1='", x1, "' y1='", y1, "' x2='", x2, "' y2='", y2, "' stroke='", colour, "'/>\n");
}

std::string text(double x, double y, const char* anchor, const std::string& words, const char* more = "") {
  return concat("<text x='", x, "' y='", y, "' text-anchor='", anchor, "' ", more, ">", escaped(words), "</text>\n");
}

std::string number(double value) {
  std::ostringstream out;
  out << std::setprecision(4) << (std::abs(value) < 1e-12 ? 0.0 : value);
  return out.str();
}

// Returns "M x y L x y ..." through the points that can be drawn, with a new M after each gap.
std::string path_of(const Plot::Series& series, const Axis& x_axis, const Axis& y_axis) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(1);
  bool drawing = false;
  for (Index i = 0; i < std::ssize(series.x); ++i) {
    const double x = x_axis.pixel(series.x[i]), y = y_axis.pixel(series.y[i]);
    const bool possible = std::isfinite(x) && std::isfinite(y);
    if (possible) out << (drawing ? "L" : "M") << x << " " << y << " ";
    drawing = possible;
  }
  return out.str();
}

}  // namespace

std::string to_svg(const Plot& plot) {
  Axis x_axis{false, left, width - right}, y_axis{plot.log_y, height - bottom, top};
  for (const Plot::Series& series : plot.series) {
    if (series.x.size() != series.y.size()) {
      throw Error("plot: series `", series.name, "` has ", series.x.size(), " x and ", series.y.size(), " y");
    }
    for (const double x : series.x) x_axis.include(x);
    for (const double y : series.y) y_axis.include(y);
  }
  x_axis.finish();
  y_axis.finish();

  std::string svg = concat("<svg xmlns='http://www.w3.org/2000/svg' width='", width, "' height='", height,
                           "' viewBox='0 0 ", width, " ", height, "' font-family='sans-serif' font-size='13'>\n",
                           "<rect width='100%' height='100%' fill='white'/>\n");
  svg += text(width / 2, top / 2, "middle", plot.title, "font-size='16'");
  svg += text((left + width - right) / 2, height - 16, "middle", plot.x_label);
  svg += text(20, height / 2, "middle", plot.y_label, concat("transform='rotate(-90 20 ", height / 2, ")'").c_str());
  for (const double tick : x_axis.ticks()) {
    svg += line(x_axis.pixel(tick), top, x_axis.pixel(tick), height - bottom, "#e4e4e4");
    svg += text(x_axis.pixel(tick), height - bottom + 18, "middle", number(tick));
  }
  for (const double tick : y_axis.ticks()) {
    svg += line(left, y_axis.pixel(tick), width - right, y_axis.pixel(tick), "#e4e4e4");
    svg += text(left - 8, y_axis.pixel(tick) + 4, "end", number(tick));
  }
  svg += line(left, height - bottom, width - right, height - bottom, "black");
  svg += line(left, top, left, height - bottom, "black");
  std::size_t longest = 0;  // of the names, for a background that curves don't show through
  for (Index i = 0; i < std::ssize(plot.series); ++i) {
    const char* colour = colours[i % std::size(colours)];
    longest = std::max(longest, plot.series[i].name.size());
    svg += concat("<path d='", path_of(plot.series[i], x_axis, y_axis), "' fill='none' stroke='", colour,
                  "' stroke-width='1.5' stroke-linejoin='round'/>\n");
  }
  const double names = 46 + 7.2 * static_cast<double>(longest);
  svg += concat("<rect x='", width - right - names, "' y='", top + 2, "' width='", names, "' height='",
                4 + 18 * std::ssize(plot.series), "' fill='white' fill-opacity='0.8'/>\n");
  for (Index i = 0; i < std::ssize(plot.series); ++i) {
    const char* colour = colours[i % std::size(colours)];
    const double y = top + 16 + 18 * i;
    svg += concat("<line x1='", width - right - 30, "' y1='", y - 4, "' x2='", width - right - 8, "' y2='", y - 4,
                  "' stroke='", colour, "' stroke-width='3'/>\n");
    svg += text(width - right - 36, y, "end", plot.series[i].name);
  }
  return svg + "</svg>\n";
}

void write_svg(const std::string& path, const Plot& plot) {
  const std::string svg = to_svg(plot);
  write_atomically(path, svg);
}

}  // namespace reverie::inline REVERIE_PRECISION
