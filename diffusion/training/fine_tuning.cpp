#include "diffusion/training/fine_tuning.h"

#include <algorithm>
#include <set>

#include "tensor/finite.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

/// A group of rows of a table of embeddings, by what they stand for.
using RowNames = std::vector<std::string>;

constexpr const char* nothing = "";  // stands for "no class" and "no caption"; padding is " "

// The rows of a table of classes or tokens.
RowNames class_rows(const DiffusionModel& model) {
  RowNames rows = model.facts().class_names;
  if (model.has_null_class()) rows.emplace_back(nothing);
  return rows;
}
RowNames token_rows(const DiffusionModel& model) {
  RowNames rows = {" "};
  const std::vector<std::string>& words = model.facts().tokenizer.words();
  rows.insert(rows.end(), words.begin(), words.end());
  if (model.has_null_class()) rows.emplace_back(nothing);
  return rows;
}
RowNames numbered_rows(const Tensor& table) {
  RowNames rows;
  for (Index i = 0; i < table.extent(0); ++i) rows.push_back(std::to_string(i));
  return rows;
}

// Lists names: "a, b, c and 7 more".
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, names.size()); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > shown ? concat(text, " and ", names.size() - shown, " more") : text;
}

/// Moves the weights of one model to another.
class Transfer {
 public:
  Transfer(DiffusionModel& to, const DiffusionModel& from) : to_(to), from_(from) {}

  void parameter(const Parameter& p) {
    const Parameter* old = from_.network().parameters.find(p.name);
    const auto is = [&](const char* name) { return p.name == name; };
    if (is_class_table(p.name)) {
      table(p, old, class_rows(to_), class_rows(from_), "class", "classes");
    } else if (is("text.token_embedding.weight")) {
      table(p, old, token_rows(to_), token_rows(from_), "word", "words");
    } else if (is("text.positional_embedding") && old) {
      table(p, old, numbered_rows(p.value), numbered_rows(old->value), "position", "positions in a caption");
    } else if (old && old->value.shape() == p.value.shape()) {
      Tensor(p.value).copy_from(old->value);
      kept_ += p.value.size();
    } else if (old && other_channels(p)) {
      fresh_.push_back(concat(p.name, " (", old->value.shape(), " becomes ", p.value.shape(), ")"));
    } else if (!old && conditional(p.name)) {
      added_.push_back(p.name);
    } else {
      misfits_.push_back(p.name);
    }
  }

  // Notes a parameter of the old model that the new one lacks.
  void leave(const Parameter& old) {
    if (to_.network().parameters.find(old.name)) return;
    if (conditional(old.name) || is_class_table(old.name)) {
      left_.push_back(old.name);
    } else {
      misfits_.push_back(old.name);
    }
  }

  /// The first parameter that fits nowhere; empty if there is none.
  std::string misfit() const { return misfits_.empty() ? "" : misfits_.front(); }

  std::vector<std::string> lines() const {
    const Index all = to_.network().parameters.element_count();
    std::vector<std::string> lines = {concat("kept ", kept_, " of ", all, " weights")};
    lines.insert(lines.end(), tables_.begin(), tables_.end());
    if (!fresh_.empty()) lines.push_back("new, for another number of channels: " + listed(fresh_));
    if (!added_.empty()) lines.push_back("new, to read classes or captions: " + listed(added_));
    if (!left_.empty()) lines.push_back("left out, as the new model doesn't read them: " + listed(left_));
    return lines;
  }

 private:
  // Whether a parameter belongs to the first or the last layer, whose shapes depend on the number of channels.
  static bool other_channels(const Parameter& p) {
    static const std::set<std::string> ends = {
        "input_blocks.0.0.weight",   "out.2.weight",           "out.2.bias", "x_embedder.proj.weight",
        "final_layer.linear.weight", "final_layer.linear.bias"};
    return ends.contains(p.name);
  }
  static bool is_class_table(const std::string& name) {
    return name == "label_emb.weight" || name == "y_embedder.embedding_table.weight";
  }
  static bool conditional(const std::string& name) {
    return name.starts_with("text.") || name.find("cross_attn") != std::string::npos;
  }

  // Copies the rows that both tables have, by name.
  void table(const Parameter& p, const Parameter* old, const RowNames& rows, const RowNames& old_rows, const char* one,
             const char* many) {
    if (old && old->value.extent(-1) != p.value.extent(-1)) return misfits_.push_back(p.name);
    std::vector<std::string> fresh, moved, dropped;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto found = old ? std::find(old_rows.begin(), old_rows.end(), rows[i]) : old_rows.end();
      const bool named = rows[i] != nothing && rows[i] != " ";
      if (!old || found == old_rows.end()) {
        if (named) fresh.push_back(rows[i]);
        continue;
      }
      const Index row = found - old_rows.begin(), to = static_cast<Index>(i);
      p.value.rows(to, to + 1).copy_from(old->value.rows(row, row + 1));
      kept_ += p.value.extent(-1);
      if (named) moved.push_back(rows[i]);
    }
    for (const std::string& name : old ? old_rows : RowNames{}) {
      if (name != nothing && name != " " && std::find(rows.begin(), rows.end(), name) == rows.end())
        dropped.push_back(name);
    }
    std::string text = concat(many, ": ");
    text += moved.empty() ? concat("no ", one, " is known") : concat(moved.size(), " kept (", listed(moved), ")");
    if (!fresh.empty()) text += concat(", ", fresh.size(), " new (", listed(fresh), ")");
    if (!dropped.empty()) text += concat(", ", dropped.size(), " dropped (", listed(dropped), ")");
    tables_.push_back(text);
  }

  DiffusionModel& to_;
  const DiffusionModel& from_;
  Index kept_ = 0;
  std::vector<std::string> tables_, fresh_, added_, left_, misfits_;
};

// Names the first key of [model] in which the networks of two configurations differ, so that weights of one would mean
// something else in the other; empty if there is none.
std::string difference(Config now, Config before) {
  const bool both_text = now.model.text_conditional && before.model.text_conditional;
  const auto fields = config_fields(now), old_fields = config_fields(before);
  const std::vector<const char*>& read = find_network(before.model.network).keys;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string& key = fields[i].key;
    const bool text = key.starts_with("model.text_") && key != "model.text_conditional";
    const bool matters =
        key == "model.network" || (text && both_text) ||
        std::any_of(read.begin(), read.end(), [&](const char* k) { return key == concat("model.", k); });
    if (!matters || key == "model.attention_resolutions" || key == "model.dropout") continue;
    const std::string value = field_text(fields[i]), old = field_text(old_fields[i]);
    if (value != old) return concat("`", key, "` is ", value, ", there it is ", old);
  }
  return "";
}

}  // namespace

void take_architecture(Config& config, const Checkpoint& start, const Shape& sample,
                       const std::vector<std::string>& settings) {
  const NetworkOptions own = config.model;
  config.model = start.config.model;
  const Shape& old = start.data.sample_shape;
  if (sample.rank() == 3 && old.rank() == 3) {
    for (Index& height : config.model.attention_resolutions)
      height = height * sample[0] % old[0] == 0 ? height * sample[0] / old[0] : height;
  }
  config.model.class_conditional = own.class_conditional;
  config.model.text_conditional = own.text_conditional;
  std::vector<std::string> model_settings;
  std::copy_if(settings.begin(), settings.end(), std::back_inserter(model_settings),
               [](const std::string& setting) { return setting.starts_with("model."); });
  set_config(config, model_settings);
}

std::vector<std::string> start_from(DiffusionModel& model, const Config& config, const Checkpoint& start,
                                    const std::string& weights, const std::string& origin) {
  const DiffusionModel old = model_of(start, weights, origin);
  if (model.facts().sample_shape.rank() != old.facts().sample_shape.rank()) {
    throw UsageError("--init-from ", origin, ": is a model of samples of shape ", old.facts().sample_shape,
                     "; the data has samples of shape ", model.facts().sample_shape);
  }
  if (const std::string key = difference(config, start.config); !key.empty()) {
    throw UsageError("--init-from ", origin, ": its weights don't fit the network: ", key);
  }
  Transfer transfer(model, old);
  for (const Parameter& p : model.network().parameters.all()) transfer.parameter(p);
  for (const Parameter& p : old.network().parameters.all()) transfer.leave(p);
  if (const std::string misfit = transfer.misfit(); !misfit.empty()) {
    throw UsageError("--init-from ", origin, ": its weights don't fit the network, which has other layers (", misfit,
                     "); are `model.attention_resolutions` the same levels?");
  }
  std::vector<std::string> lines = transfer.lines();
  lines.front() = concat("starting from ", weights == "raw" ? "the raw" : "the averaged (EMA)", " weights of ", origin,
                         " after ", start.state.step, " steps: ", lines.front());
  const DiffusionOptions &now = config.diffusion, &before = start.config.diffusion;
  if (now.formulation != before.formulation || now.prediction != before.prediction) {
    lines.push_back(concat("the network learned ", before.formulation, ", ", before.prediction, "; it now learns ",
                           now.formulation, ", ", now.prediction, ", which takes longer"));
  }
  return lines;
}

}  // namespace reverie::inline REVERIE_PRECISION
