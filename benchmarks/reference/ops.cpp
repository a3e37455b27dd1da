#include "autograd/ops.h"

#include "benchmarks/reference/kinds.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

/// The real inputs of an op case as variables on a tape. Operations on images get them channels-last; all others take
/// arrays as they are.
class Operands {
 public:
  explicit Operands(Case& c) : c_(c) {}

  Var operator()(const char* name) { return variable(name, c_.input(name), false); }
  /// A batch of images; marks the operation's result as one, too.
  Var image(const char* name) { return variable(name, c_.image(name), true); }
  /// An empty Var if the case has no such input.
  Var optional(const char* name) { return c_.has_input(name) ? (*this)(name) : Var(); }

  /// Outputs y and the gradients of sum(y * grad_y).
  void finish(const Var& y) {
    output("y", y.value(), gives_image_);
    const Tensor grad_y = gives_image_ ? c_.image("grad_y") : c_.input("grad_y");
    tape_.backward(y, y.size() == 1 ? grad_y.reshape(y.shape()) : grad_y, {});
    for (const Operand& x : operands_) output("grad_" + x.name, tape_.gradient(x.var), x.is_image);
  }

 private:
  struct Operand {
    std::string name;
    Var var;
    bool is_image;
  };

  Var variable(const char* name, const Tensor& value, bool is_image) {
    gives_image_ = gives_image_ || is_image;
    operands_.push_back({name, tape_.variable(value), is_image});
    return operands_.back().var;
  }
  void output(const std::string& name, const Tensor& value, bool is_image) {
    is_image ? c_.output_image(name, value) : c_.output(name, value);
  }

  Case& c_;
  Tape tape_;
  std::vector<Operand> operands_;
  bool gives_image_ = false;
};

template <Var op(const Var&)>
void unary(Case& c) {
  Operands in(c);
  in.finish(op(in("x")));
}

template <Var op(const Var&, const Var&)>
void binary(Case& c) {
  Operands in(c);
  const Var a = in("a"), b = in("b");
  in.finish(op(a, b));
}

template <Var op(const Var&, int axis)>
void along_axis(Case& c) {
  Operands in(c);
  in.finish(op(in("x"), static_cast<int>(c.integer("axis"))));
}

template <Var op(const Var&, std::span<const int> axes, bool keepdims)>
void over_axes(Case& c) {
  Operands in(c);
  const std::vector<Index> list = c.integers("axes");
  const std::vector<int> axes(list.begin(), list.end());
  in.finish(op(in("x"), axes, c.flag("keepdims")));
}

void run_linear(Case& c) {
  Operands in(c);
  const Var x = in("x"), weight = in("weight"), bias = in.optional("bias");
  in.finish(linear(x, weight, bias));
}

void run_conv2d(Case& c) {
  Operands in(c);
  const Var x = in.image("x"), weight = in("weight"), bias = in.optional("bias");
  in.finish(
      conv2d(x, weight, bias,
             {.stride = c.integer("stride", 1), .padding = c.integer("padding", 0), .groups = c.integer("groups", 1)}));
}

void run_conv_transpose2d(Case& c) {
  Operands in(c);
  const Var x = in.image("x"), weight = in("weight"), bias = in.optional("bias");
  in.finish(conv_transpose2d(x, weight, bias,
                             {.stride = c.integer("stride", 1),
                              .padding = c.integer("padding", 0),
                              .output_padding = c.integer("output_padding", 0)}));
}

void run_group_norm(Case& c) {
  Operands in(c);
  const Var x = in.image("x"), weight = in("weight"), bias = in("bias");
  in.finish(group_norm(x, weight, bias, c.integer("groups"), c.number("eps")));
}

void run_layer_norm(Case& c) {
  Operands in(c);
  const Var x = in("x"), weight = in.optional("weight"), bias = in.optional("bias");
  in.finish(layer_norm(x, weight, bias, c.number("eps")));
}

void run_rms_norm(Case& c) {
  Operands in(c);
  const Var x = in("x"), weight = in("weight");
  in.finish(rms_norm(x, weight, c.number("eps")));
}

void run_avg_pool2d(Case& c) {
  Operands in(c);
  in.finish(avg_pool2d(in.image("x"), c.integer("kernel"), c.integer("stride")));
}

void run_upsample_nearest(Case& c) {
  Operands in(c);
  in.finish(upsample_nearest(in.image("x"), c.integer("scale")));
}

void run_attention(Case& c) {
  Operands in(c);
  const Var q = in("q"), k = in("k"), v = in("v");
  in.finish(attention(q, k, v, c.integer("heads")));
}

void run_embedding(Case& c) {
  Operands in(c);
  in.finish(embedding(in("table"), c.integer_input("indices"), c.input_shape("indices")));
}

void run_concat(Case& c) {
  Operands in(c);
  std::vector<Var> parts = {in("a"), in("b")};
  if (c.has_input("c")) parts.push_back(in("c"));
  in.finish(concat(std::span<const Var>(parts), static_cast<int>(c.integer("axis"))));
}

void run_cross_entropy(Case& c) {
  Operands in(c);
  in.finish(cross_entropy(in("logits"), c.integer_input("targets")));
}

void run_dropout_mask(Case& c) {
  Operands in(c);
  in.finish(dropout_mask(in("x"), c.input("mask"), c.number("p")));
}

}  // namespace

Kinds op_kinds() {
  return {{"op/exp", unary<exp>}, {"op/log", unary<log>}, {"op/sqrt", unary<sqrt>}, {"op/tanh", unary<tanh>},
          {"op/sigmoid", unary<sigmoid>}, {"op/silu", unary<silu>}, {"op/gelu", unary<gelu>},
          {"op/gelu_tanh", unary<gelu_tanh>}, {"op/relu", unary<relu>}, {"op/softplus", unary<softplus>},
          {"op/normal_cdf", unary<normal_cdf>},
          {"op/add_broadcast", binary < operator+> },
           {"op/mul_broadcast", binary < operator*> },
            {
                "op/div",
                binary < operator/> },
                {"op/matmul", binary<matmul>},
                {"op/batched_matmul", binary<batched_matmul>},
                {"op/mse", binary<mse>},
                {"op/softmax", along_axis<softmax>},
                {"op/log_softmax", along_axis<log_softmax>},
                {"op/mean_axes", over_axes<mean_axes>},
                {"op/sum_axes", over_axes<sum_axes>},
                {"op/linear", run_linear},
                {"op/conv2d", run_conv2d},
                {"op/conv_transpose2d", run_conv_transpose2d},
                {"op/group_norm", run_group_norm},
                {"op/layer_norm", run_layer_norm},
                {"op/rms_norm", run_rms_norm},
                {"op/avg_pool2d", run_avg_pool2d},
                {"op/upsample_nearest", run_upsample_nearest},
                {"op/attention", run_attention},
                {"op/embedding", run_embedding},
                {"op/concat", run_concat},
                {"op/cross_entropy", run_cross_entropy},
                {"op/dropout_mask", run_dropout_mask},
           };
}

}  // namespace reverie::inline REVERIE_PRECISION
