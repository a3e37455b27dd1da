#include "apps/data_shape.h"

#include <cstdio>

#include "data/image_set.h"
#include "data/toy.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

Shape parse(const std::string& text) {
  if (text == "2") return {2};
  long long h = 0, w = 0, c = 0;
  int end = 0;
  const bool whole = std::sscanf(text.c_str(), "%5lldx%5lldx%5lld%n", &h, &w, &c, &end) == 3 &&
                     static_cast<std::size_t>(end) == text.size();
  if (!whole || h < 1 || w < 1 || c < 1)
    throw UsageError("--shape ", text, ": expects HxWxC, e.g. 28x28x1, or 2 for points");
  if (h * w * c > (1 << 24)) throw UsageError("--shape ", text, ": is more than ", 1 << 24, " values");
  return {Index{h}, Index{w}, Index{c}};
}

// Stands for the captions of data that isn't there: its words and its length are a small vocabulary's.
const std::string stand_in_caption = "a b c d e f g h i j k l m n o p";

std::unique_ptr<Dataset> open(const Config& config) {
  if (config.data.train.empty())
    throw UsageError("config: `data.train` is missing; with --shape HxWxC, no data is needed");
  try {
    return open_dataset(config.data.train, 0);
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw Error(error.what(), "; with --shape HxWxC, no data is needed");
  }
}

}  // namespace

ImageSize parse_size(const char* option, const std::string& text) {
  int end = 0;
  long long height = 0, width = 0;
  const bool whole = std::sscanf(text.c_str(), "%5lldx%5lld%n", &height, &width, &end) == 2 &&
                     static_cast<std::size_t>(end) == text.size();
  if (!whole || height < 1 || width < 1 || height * width > (1 << 28))
    throw UsageError(option, " ", text, ": expects HxW, e.g. 32x32");
  return {Index{height}, Index{width}};
}

DataFacts DataShape::facts(const Config& config) const {
  if (shape.empty()) {
    if (classes > 0) throw UsageError("--classes: requires --shape; otherwise the data set defines the classes");
    const auto data = open(config);
    return facts_of(*data);
  }
  DataFacts facts{parse(shape), {}};
  for (Index k = 0; k < classes; ++k) facts.class_names.push_back(std::to_string(k));
  if (config.model.text_conditional) facts.tokenizer = Tokenizer(std::vector{stand_in_caption});
  return facts;
}

std::unique_ptr<Dataset> DataShape::samples(const Config& config) const {
  if (!given()) return open(config);
  const DataFacts known = facts(config);
  const Index count = std::min<Index>(config.train.batch_size, 256);  // batches may repeat samples
  std::unique_ptr<Dataset> data;
  if (known.sample_shape.rank() == 1) {
    data = std::make_unique<PointSet>(toy("swiss_roll", count, 0));
  } else {
    const Shape& s = known.sample_shape;
    data = std::make_unique<ImageSet>(ImageSet::from(normal({.stream = Stream::probe}, {count, s[0], s[1], s[2]})));
  }
  data->class_names = known.class_names;
  data->labels.clear();
  if (!known.tokenizer.empty()) data->captions.assign(static_cast<std::size_t>(count), stand_in_caption);
  for (Index i = 0; i < count && classes > 0; ++i) data->labels.push_back(i % classes);
  return data;
}

void add_data_shape(CLI::App* command, DataShape& options) {
  command->add_option("--shape", options.shape, "Shape of a sample; 2 for points [shape of the configured data]")
      ->type_name("HxWxC");
  command->add_option("--classes", options.classes, "With --shape: number of classes [none]")
      ->type_name("N")
      ->check(positive);
}

}  // namespace reverie::inline REVERIE_PRECISION
