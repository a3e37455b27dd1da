#include "apps/explanation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <map>

namespace reverie::inline REVERIE_PRECISION {
namespace {

bool is_parameter(const Record& record) { return record.slot >= 0; }

// "conv.weight" and "conv.bias" -> "conv"
std::string common_place(const std::string& a, const std::string& b) {
  if (a.empty() || a == b) return b;
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  const std::size_t dot = a.rfind('.', static_cast<std::size_t>(end - a.begin()));
  return dot == std::string::npos ? "" : a.substr(0, dot);
}

// Returns the layer whose parameters an operation reads, directly or reshaped; "" for none.
std::string layer_of(const TapePlan& plan, const Record& record, const ParameterStore& parameters) {
  std::string layer;
  for (const Record::Input& input : record.inputs) {
    if (input.node < 0) continue;
    const Record& from = plan.records[input.node];
    if (is_parameter(from)) {
      layer = common_place(layer, parameters.all()[from.slot].name);
    } else if (std::string_view(from.op) == "reshape") {
      const std::string reshaped = layer_of(plan, from, parameters);
      if (!reshaped.empty()) layer = common_place(layer, reshaped);
    }
  }
  return layer;
}

// Returns the length of the block's part of a layer's name: "output_blocks.8" and "0.out_layers.2", "out" and "2".
std::size_t end_of_block(const std::string& layer) {
  const std::size_t first = layer.find('.'), second = layer.find('.', first + 1);
  const bool numbered = first != std::string::npos && second != std::string::npos &&
                        layer.find_first_not_of("0123456789", first + 1) == second;
  return std::min(numbered ? second : first, layer.size());
}

// Formats an operation and the tape positions of its inputs, without parameters: "concat(35,17)".
std::string call(const TapePlan& plan, const Record& record) {
  std::string text;
  for (const Record::Input& input : record.inputs) {
    if (input.node >= 0 && !is_parameter(plan.records[input.node])) text += concat(text.empty() ? "" : ",", input.node);
  }
  return concat(record.op, "(", text, ")");
}

// Formats an operation and the shapes of its inputs: "conv2d [8,28,28,32] [32,32,3,3]". Omits vectors if there are
// larger inputs.
std::string kind_and_shapes(const Record& record) {
  int largest = 0;
  for (const Record::Input& input : record.inputs) largest = std::max(largest, input.shape.rank());
  std::string text = record.op;
  for (const Record::Input& input : record.inputs)
    if (input.shape.rank() > std::min(largest - 1, 1)) text += concat(" ", input.shape);
  return text;
}

std::string fixed(double value, int decimals, int width) {
  return concat(std::fixed, std::setprecision(decimals), std::setw(width), value);
}

// Formats a rate in GFLOP/s; a dash if nothing was computed or measured.
std::string rate(double flops, double seconds) {
  return flops > 0 && seconds > 0 ? fixed(flops / seconds / 1e9, flops / seconds < 9.95e9 ? 1 : 0, 6) : "     -";
}

/// Sums over a group of operations.
struct Sums {
  Index count = 0;
  double kept = 0;
  Flops flops;
  TapeTimes::Seconds seconds;

  void add(const TapePlan& plan, const TapeTimes* times, std::size_t node) {
    ++count;
    kept += static_cast<double>(plan.saved_bytes[node]);
    flops += plan.flops[node];
    if (times == nullptr) return;
    seconds.forward += times->nodes[node].forward;
    seconds.backward += times->nodes[node].backward;
  }
  Sums& operator+=(const Sums& other) {
    count += other.count;
    kept += other.kept;
    flops += other.flops;
    seconds.forward += other.seconds.forward;
    seconds.backward += other.seconds.backward;
    return *this;
  }
};

struct Group {
  std::string name;
  Sums sums;
};

// Operations grouped by their `name`, and the sums over all of them.
struct Groups {
  std::vector<Group> parts;
  Sums all;
};
Groups grouped(const TapePlan& plan, const TapeTimes* times, std::string name(const Record&)) {
  Groups groups;
  std::map<std::string, Sums> sums;
  for (std::size_t node = 0; node < plan.records.size(); ++node) {
    if (is_parameter(plan.records[node])) continue;
    sums[name(plan.records[node])].add(plan, times, node);
    groups.all.add(plan, times, node);
  }
  for (const auto& [group, sum] : sums) groups.parts.push_back({group, sum});
  std::stable_sort(groups.parts.begin(), groups.parts.end(), [&](const Group& a, const Group& b) {
    return times ? a.sums.seconds.total() > b.sums.seconds.total() : a.sums.flops.total() > b.sums.flops.total();
  });
  return groups;
}

std::string kind(const Record& record) { return record.op; }

std::string time_line(const Sums& sums, double all_seconds, const std::string& name) {
  const auto& s = sums.seconds;
  return concat(fixed(100 * s.total() / all_seconds, 1, 5), "% ", std::setw(4), sums.count,
                fixed(1e3 * s.forward, 2, 9), fixed(1e3 * s.backward, 2, 9), rate(sums.flops.forward, s.forward),
                rate(sums.flops.backward, s.backward), "  ", name, "\n");
}

// Groups with less than 0.05% of the time share one line.
std::string time_table(const TapePlan& plan, const TapeTimes& times, std::string name(const Record&)) {
  const Groups groups = grouped(plan, &times, name);
  const double all = groups.all.seconds.total() + times.constants;
  std::string text = concat("              milliseconds     GFLOP/s\n",  //
                            " share    n  forward backward forward back  operation\n");
  Sums rest, constants, total = groups.all;
  for (const Group& group : groups.parts) {
    if (group.sums.seconds.total() < all / 2000) {
      rest += group.sums;
    } else {
      text += time_line(group.sums, all, group.name);
    }
  }
  constants.seconds.forward = times.constants;
  total.seconds.forward += times.constants;
  if (rest.count > 0) text += time_line(rest, all, "all others");
  return text + time_line(constants, all, "not recorded: needs no gradient") + time_line(total, all, "sum");
}

}  // namespace

std::string short_number(double value, const std::string& unit) {
  const char* prefixes = " kMGTP";
  std::size_t prefix = 0;
  for (; std::abs(value) >= 999.5 && prefix < 5; ++prefix) value /= 1000;
  const int decimals = prefix == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  const std::string text = fixed(value, decimals, 0), of = prefix == 0 ? "" : std::string(1, prefixes[prefix]);
  return unit.empty() ? text + of : text + " " + of + unit;
}

std::string plan_text(const TapePlan& plan, const ParameterStore& parameters) {
  std::size_t shape_width = 5;
  for (const Record& record : plan.records)
    if (!is_parameter(record)) shape_width = std::max(shape_width, concat(record.output).size());
  const auto column = [&](const std::string& text) {
    return concat(std::left, std::setw(static_cast<int>(shape_width)), text);
  };
  std::string text = concat("  #  kept  FLOP ", column("shape"), " operation(on)            layer\n"), block;
  for (std::size_t node = 0; node < plan.records.size(); ++node) {
    const Record& record = plan.records[node];
    if (is_parameter(record)) continue;
    const std::string layer = layer_of(plan, record, parameters), operation = call(plan, record);
    const std::size_t cut = end_of_block(layer);
    if (!layer.empty() && layer.substr(0, cut) != block) text += (block = layer.substr(0, cut)) + "\n";
    text += concat(std::setw(3), node, std::setw(6), short_number(static_cast<double>(plan.saved_bytes[node])),
                   std::setw(6), short_number(plan.flops[node].total()), " ", column(concat(record.output)), " ");
    text += cut == layer.size() ? operation : concat(std::left, std::setw(24), operation, " ", layer.substr(cut + 1));
    text += "\n";
  }
  const Groups kinds = grouped(plan, nullptr, kind);
  text += "\n    n  kept  forward backward  share  operation\n";
  const auto line = [&](const Sums& sums, const std::string& name) {
    const double share = 100 * sums.flops.total() / std::max(kinds.all.flops.total(), 1.0);
    text += concat(std::setw(5), sums.count, std::setw(6), short_number(sums.kept), std::setw(9),
                   short_number(sums.flops.forward), std::setw(9), short_number(sums.flops.backward),
                   fixed(share, 1, 6), "%  ", name, "\n");
  };
  for (const Group& group : kinds.parts) line(group.sums, group.name);
  line(kinds.all, "all");
  return text;
}

std::string times_text(const TapePlan& plan, const TapeTimes& times) {
  return time_table(plan, times, kind_and_shapes) + "\n" + time_table(plan, times, kind);
}

std::string plan_graph(const TapePlan& plan, const ParameterStore& parameters) {
  double most = 1;
  for (const Flops& flops : plan.flops) most = std::max(most, flops.total());
  std::string text =
      "digraph tape {\n  rankdir=TB;\n  node [shape=box, style=filled, fontname=\"Helvetica\", fillcolor=white];\n";
  for (std::size_t node = 0; node < plan.records.size(); ++node) {
    const Record& record = plan.records[node];
    if (is_parameter(record)) {
      text += concat("  n", node, " [shape=plaintext, fontsize=9, label=\"", parameters.all()[record.slot].name, "\\n",
                     record.output, "\"];\n");
      continue;
    }
    // The saturation is logarithmic: three orders of magnitude from white to full colour.
    const double share = std::max(plan.flops[node].total(), 1.0) / most;
    const double saturation = std::clamp(1 + std::log10(share) / 3, 0.0, 1.0);
    text +=
        concat("  n", node, " [label=\"", node, ": ", record.op, "\\n", record.output, "\\nkeeps ",
               short_number(static_cast<double>(plan.saved_bytes[node])), "B, ", short_number(plan.flops[node].total()),
               "FLOP\", fillcolor=\"0.08 ", fixed(saturation, 3, 0), " 1.0\"];\n");
    for (const Record::Input& input : record.inputs)
      if (input.node >= 0) text += concat("  n", input.node, " -> n", node, ";\n");
  }
  return text + "}\n";
}

double step_seconds(Trainer& trainer, int runs) {
  double best = INFINITY;
  for (int i = 0; i <= runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    trainer.step();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (i > 0) best = std::min(best, seconds);  // the first warms up
  }
  return best;
}

}  // namespace reverie::inline REVERIE_PRECISION
