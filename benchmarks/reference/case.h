#pragma once
#include <string>
#include <vector>

#include "benchmarks/reference/comparison.h"
#include "data/hdf5.h"
#include "nn/parameter.h"

namespace reverie::inline REVERIE_PRECISION {

/// A reference case: one HDF5 file with parameters, inputs, perhaps a network's weights, and the outputs that must come
/// out (see SCHEMA.md). Whatever is missing or of the wrong type is an Error that names the file and the object.
class Case {
 public:
  /// Throws Error for a file that is no case.
  explicit Case(const std::string& path);
  const CaseInfo& info() const { return info_; }

  // Parameters.
  bool has_param(const std::string& name) const { return file_.has_attribute("params", name); }
  std::string text(const std::string& name) const { return file_.read_string_attribute("params", name); }
  Index integer(const std::string& name) const { return file_.read_int_attribute("params", name); }
  double number(const std::string& name) const { return file_.read_double_attribute("params", name); }
  double number(const std::string& name, double otherwise) const { return has_param(name) ? number(name) : otherwise; }
  Index integer(const std::string& name, Index otherwise) const { return has_param(name) ? integer(name) : otherwise; }
  bool flag(const std::string& name) const { return integer(name) != 0; }
  std::vector<Index> integers(const std::string& name) const;  ///< "1,2,2"
  std::vector<double> numbers(const std::string& name) const;  ///< "0.5,1,2"

  // Inputs. Arrays come as they are; images (N,C,H,W, or any other number of axes after the channels) become
  // channels-last.
  bool has_input(const std::string& name) const { return file_.has("inputs/" + name); }
  Shape input_shape(const std::string& name) const { return file_.shape("inputs/" + name); }
  Tensor input(const std::string& name) const { return file_.read_tensor("inputs/" + name); }
  Tensor image(const std::string& name) const;
  std::vector<Tensor> image_steps(const std::string& name) const;  ///< of (steps,N,C,H,W), an image batch a step
  std::vector<double> number_input(const std::string& name) const { return file_.read_doubles("inputs/" + name); }
  std::vector<Index> integer_input(const std::string& name) const { return file_.read_int64("inputs/" + name); }
  /// Of (steps,...), the values of each step.
  std::vector<std::vector<Index>> integer_steps(const std::string& name) const;

  /// Sets every parameter of the store to the weight of its name. Throws Error for a name or a shape that only one side
  /// has.
  void load_weights(const ParameterStore& store) const;

  // Outputs. What the file doesn't ask for is passed over.
  bool wants(const std::string& name) const { return file_.has("outputs/" + name); }
  void output(const std::string& name, const Tensor& got);
  void output(const std::string& name, const std::vector<double>& got);
  void output_image(const std::string& name, const Tensor& channels_last);
  void output_image_steps(const std::string& name, const std::vector<Tensor>& channels_last);

  /// After all outputs: each that the file asks for must have come and hold.
  CaseResult result() const;

 private:
  void compare(const std::string& name, const Shape& shape, std::span<const double> got);

  Hdf5File file_;
  CaseInfo info_;
  Comparison comparison_;
};

/// (N,C,H,W) -> (N,H,W,C) and back, for any number of axes between; batches of vectors (N,C) stay what they are.
Tensor channels_last(const Tensor& x);
Tensor channels_first(const Tensor& x);

}  // namespace reverie::inline REVERIE_PRECISION
