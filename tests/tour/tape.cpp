// The numbers of docs/tour/05-tape.md.
#include <doctest/doctest.h>

#include "autograd/ops.h"
#include "autograd/profile.h"
#include "data/toy.h"
#include "diffusion/formulations/table.h"
#include "diffusion/model/config.h"
#include "diffusion/training/trainer.h"
#include "tests/helpers.h"
#include "tests/tour/page.h"

using namespace reverie;

namespace {

const Page& page() {
  static const Page page("05-tape.md");
  return page;
}

}  // namespace

TEST_CASE("tour, tape: gradients through three operations") {
  Tape tape;
  const Var w = tape.variable(Tensor::scalar(2)), x = tape.variable(Tensor::scalar(3));
  const Var y = w * x, z = y + x, L = square(z);
  const auto number = [](const Var& v) { return static_cast<double>(v.item()); };
  page().says("$w = {}$ and $x = {}$, and", {number(w), number(x)});
  page().says("$y = {}$, $z = {}$, $L = {}$. The tape", {number(y), number(z), number(L)});

  const std::vector<Record> records = tape.records();
  REQUIRE(records.size() == 5);
  const auto line = [&](int node, const Var& value) {
    std::string text = "\n| " + std::to_string(node) + " | " + records[static_cast<std::size_t>(node)].op + "(";
    for (const Record::Input& input : records[static_cast<std::size_t>(node)].inputs)
      text += (text.ends_with('(') ? "" : ", ") + std::to_string(input.node);
    CHECK(value.node() == node);
    page().says(text + ") | {} |", {number(value)});
  };
  line(2, y), line(3, z), line(4, L);

  tape.backward(L);
  const double dw = static_cast<double>(tape.gradient(w).item()), dx = static_cast<double>(tape.gradient(x).item());
  const double dz = 2 * number(z), dy = dz;
  page().says("square: $dz = 2 \\cdot {} \\cdot 1 = {}$", {number(z), dz});
  page().says("add: passes {} on to both: $dy = {}$, and $dx$ gets {}", {dz, dy, dz});
  page().says("$dw = x dy = {}$, and $dx$ gets $w dy = {}$ more: $dx = {}$", {dw, number(w) * dy, dx});
  page().says("$dL/dx = 2 (w x + x)(w + 1) = {}$. Overwriting instead of adding would have given {}.",
              {dx, number(w) * dy});
}

TEST_CASE("tour, tape: the memory of a small network") {
  if (sizeof(real) != sizeof(float)) return;  // the page has the program's precision
  Config config = load_config(std::string(std::getenv("REVERIE_SOURCE_ROOT")) + "/configs/toy-moons.toml");
  set_config(config, std::vector<std::string>{"model.depth=1", "model.hidden=32"});
  const PointSet moons = toy("two_moons", 1000, 0);
  const Trainer trainer(build_model(config, facts_of(moons)), moons, config.train);
  TensorList gradients(trainer.model().network().parameters.size());
  const TapePlan plan = plan_tape(trainer.first_shard(), gradients);
  Index saved = 0, operations = 0;
  for (std::size_t node = 0; node < plan.records.size(); ++node) {
    saved += plan.saved_bytes[node];
    operations += plan.records[node].slot < 0 ? 1 : 0;
  }
  page().says("This is the tape of one shard of {} points", {static_cast<double>(trainer.options().shard_size)});
  page().says("\"keeps {}kB\" at operation 7", {static_cast<double>(plan.saved_bytes[7]) / 1000});
  page().says("All {} operations save {} kB together; with all gradients the peak is {} kB",
              {static_cast<double>(operations), static_cast<double>(saved) / 1000,
               static_cast<double>(plan.peak_bytes) / 1000});
}
