#pragma once
#include <string>
#include <vector>

#include "benchmarks/reference/comparison.h"
#include "data/hdf5.h"
#include "nn/parameter.h"

namespace reverie::inline REVERIE_PRECISION {

/// A reference case: one HDF5 file with parameters, inputs, the weights of the network if there is one, and the
/// expected outputs (see SCHEMA.md). Throws Error, naming the file and the object, for anything missing or of the wrong
/// type.
class Case {
 public:
  /// Throws Error for a file that is not a case.
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

  // Inputs. Arrays stay as they are; images (N,C,H,W, or any other number of axes after the channels) become
  // channels-last.
  bool has_input(const std::string& name) const { return file_.has("inputs/" + name); }
  Shape input_shape(const std::string& name) const { return file_.shape("inputs/" + name); }
  Tensor input(const std::string& name) const { return file_.read_tensor("inputs/" + name); }
  Tensor image(const std::string& name) const;
  std::vector<Tensor> image_steps(const std::string& name) const;  ///< (steps,N,C,H,W) as one image batch per step
  std::vector<double> number_input(const std::string& name) const { return file_.read_doubles("inputs/" + name); }
  std::vector<Index> integer_input(const std::string& name) const { return file_.read_int64("inputs/" + name); }
  /// The values of each step, from (steps,...).
  std::vector<std::vector<Index>> integer_steps(const std::string& name) const;

  /// Sets every parameter of the store to the weight with its name. Throws Error for names or shapes that differ.
  void load_weights(const ParameterStore& store) const;

  // Outputs. Those that the file doesn't list are ignored.
  bool wants(const std::string& name) const { return file_.has("outputs/" + name); }
  void output(const std::string& name, const Tensor& got);
  void output(const std::string& name, const std::vector<double>& got);
  void output_image(const std::string& name, const Tensor& channels_last);
  void output_image_steps(const std::string& name, const std::vector<Tensor>& channels_last);

  /// The result, after all outputs: passes if every output in the file was given and is within tolerance.
  CaseResult result() const;

 private:
  void compare(const std::string& name, const Shape& shape, std::span<const double> got);

  Hdf5File file_;
  CaseInfo info_;
  Comparison comparison_;
};

/// Transposes (N,C,H,W) to (N,H,W,C) and back, for any number of axes after the channels; (N,C) stays as it is.
Tensor channels_last(const Tensor& x);
Tensor channels_first(const Tensor& x);

}  // namespace reverie::inline REVERIE_PRECISION
