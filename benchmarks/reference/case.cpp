#include "benchmarks/reference/case.h"

#include <charconv>

#include "autograd/ops.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

CaseInfo read_info(const Hdf5File& file) {
  const std::string dtype = file.read_string_attribute("/", "dtype");
  if (dtype != "float32" && dtype != "float64") {
    throw Error(file.path(), ": `dtype` is \"", dtype, "\", expected \"float64\" or \"float32\"");
  }
  if (!file.has("outputs") || file.datasets("outputs").empty()) {
    throw Error(file.path(), ": has no `outputs`, so there is nothing to compare");
  }
  return {file.read_string_attribute("/", "kind"), dtype == "float32"};
}

double tolerance(const Hdf5File& file, const char* name) {
  const double value = file.read_double_attribute("/", name);
  if (!(value >= 0)) throw Error(file.path(), ": `", name, "` is ", value, ", expected a number that is not negative");
  return value;
}

template <class T>
std::vector<T> parse_list(const std::string& list, const std::string& where, const char* what) {
  std::vector<T> values;
  const char *at = list.data(), *end = at + list.size();
  while (at < end) {
    T value = 0;
    const auto [rest, error] = std::from_chars(at, end, value);
    if (error != std::errc() || (rest != end && *rest != ',')) {
      throw Error(where, " is \"", list, "\", expected ", what, " with commas");
    }
    values.push_back(value);
    at = rest == end ? end : rest + 1;
  }
  return values;
}

Shape without_first(const Shape& shape) { return Shape(std::span(shape.begin() + 1, shape.end())); }

}  // namespace

Case::Case(const std::string& path)
    : file_(Hdf5File::open(path)),
      info_(read_info(file_)),
      comparison_(tolerance(file_, "rtol"), tolerance(file_, "atol")) {}

std::vector<Index> Case::integers(const std::string& name) const {
  return parse_list<Index>(text(name), file_.path() + ": `params@" + name + "`", "integers");
}

std::vector<double> Case::numbers(const std::string& name) const {
  return parse_list<double>(text(name), file_.path() + ": `params@" + name + "`", "numbers");
}

Tensor Case::image(const std::string& name) const { return channels_last(input(name)); }

std::vector<Tensor> Case::image_steps(const std::string& name) const {
  const Tensor all = input(name);
  std::vector<Tensor> steps;
  for (Index i = 0; i < all.extent(0); ++i) {
    steps.push_back(channels_last(all.rows(i, i + 1).reshape(without_first(all.shape()))));
  }
  return steps;
}

std::vector<std::vector<Index>> Case::integer_steps(const std::string& name) const {
  const std::vector<Index> all = integer_input(name);
  const Shape shape = input_shape(name);
  const Index width = shape.product(1, shape.rank());
  std::vector<std::vector<Index>> steps;
  for (auto at = all.begin(); at != all.end(); at += width) steps.emplace_back(at, at + width);
  return steps;
}

void Case::load_weights(const ParameterStore& store) const {
  for (const std::string& name : file_.datasets("weights")) {
    if (store.find(name) == nullptr) throw Error(file_.path(), ": the network has no parameter `", name, "`");
  }
  for (const Parameter& parameter : store.all()) {
    const std::string weight = "weights/" + parameter.name;
    require_shape(file_.path().c_str(), weight.c_str(), file_.shape(weight), parameter.value.shape());
    Tensor(parameter.value).copy_from(file_.read_tensor(weight));
  }
}

void Case::output(const std::string& name, const Tensor& got) {
  const std::span<const real> values = got.values();
  compare(name, got.shape(), std::vector<double>(values.begin(), values.end()));
}

void Case::output(const std::string& name, const std::vector<double>& got) {
  compare(name, {static_cast<Index>(got.size())}, got);
}

void Case::output_image(const std::string& name, const Tensor& channels_last) {
  output(name, channels_first(channels_last));
}

void Case::output_image_steps(const std::string& name, const std::vector<Tensor>& channels_last) {
  std::vector<double> values;
  std::vector<Index> extents{static_cast<Index>(channels_last.size())};
  for (const Tensor& step : channels_last) {
    const Tensor x = channels_first(step);
    values.insert(values.end(), x.values().begin(), x.values().end());
    if (extents.size() == 1) extents.insert(extents.end(), x.shape().begin(), x.shape().end());
  }
  compare(name, Shape(extents), values);
}

CaseResult Case::result() const {
  Comparison all = comparison_;
  for (const std::string& name : file_.datasets("outputs")) all.require(name);
  return all.result();
}

void Case::compare(const std::string& name, const Shape& shape, std::span<const double> got) {
  if (!wants(name)) return;
  const std::string dataset = "outputs/" + name;
  comparison_.add(name, shape, got, file_.shape(dataset), file_.read_doubles(dataset));
}

Tensor channels_last(const Tensor& x) {
  if (x.rank() < 3) return x;
  const Index n = x.extent(0), channels = x.extent(1);
  std::vector<Index> extents(x.shape().begin(), x.shape().end());
  extents.erase(extents.begin() + 1);
  extents.push_back(channels);
  return permute(x.reshape({n, channels, -1}), {0, 2, 1}).value().reshape(Shape(extents));
}

Tensor channels_first(const Tensor& x) {
  if (x.rank() < 3) return x;
  const Index n = x.extent(0), channels = x.extent(-1);
  std::vector<Index> extents(x.shape().begin(), x.shape().end());
  extents.pop_back();
  extents.insert(extents.begin() + 1, channels);
  return permute(x.reshape({n, -1, channels}), {0, 2, 1}).value().reshape(Shape(extents));
}

}  // namespace reverie::inline REVERIE_PRECISION
