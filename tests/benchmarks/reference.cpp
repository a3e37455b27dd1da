#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "benchmarks/reference/comparison.h"
#include "benchmarks/reference/kinds.h"

using namespace reverie;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN(),
                 infinity = std::numeric_limits<double>::infinity();

CaseResult compared(const std::vector<double>& got, const std::vector<double>& want, double rtol = 0, double atol = 0) {
  Comparison comparison(rtol, atol);
  comparison.add("y", {static_cast<Index>(got.size())}, got, {static_cast<Index>(want.size())}, want);
  return comparison.result();
}

bool passes(const CaseResult& result) { return result.verdict == Verdict::pass; }

bool says(const CaseResult& result, const char* part) { return result.why.find(part) != std::string::npos; }

/// A case file of exp at 0 and 1 that says what the caller lets it say, gone with the object.
class CaseFile {
 public:
  explicit CaseFile(const std::string& kind = "op/exp", double grad_at_1 = std::exp(1.0))
      : path_(std::filesystem::temp_directory_path() / concat("reverie-case-", real_name, ".h5")),
        file_(Hdf5File::create(path_)) {
    file_.write_attribute("/", "kind", kind);
    file_.write_attribute("/", "source", "the exponential function");
    file_.write_attribute("/", "dtype", real_name);
    file_.write_attribute("/", "rtol", 1e-6);
    file_.write_attribute("/", "atol", 0.0);
    file_.write_doubles("inputs/x", {2}, {0, 1});
    file_.write_doubles("inputs/grad_y", {2}, {1, 1});
    file_.write_doubles("outputs/y", {2}, {1, std::exp(1.0)});
    file_.write_doubles("outputs/grad_x", {2}, {1, grad_at_1});
  }
  ~CaseFile() { std::filesystem::remove(path_); }
  Hdf5File& file() { return file_; }
  CaseResult run() {
    file_.close();
    return run_case(path_);
  }

 private:
  std::string path_;
  Hdf5File file_;
};

}  // namespace

TEST_CASE("an output holds up to atol + rtol |want|, elementwise") {
  CHECK(passes(compared({1, 2}, {1, 2})));
  CHECK(passes(compared({100.5, 0.25}, {100, 0}, 0.0025, 0.25)));
  CHECK(!passes(compared({101, 0}, {100, 0}, 0.0025, 0.25)));
  CHECK(!passes(compared({100, 0.5}, {100, 0}, 0.0025, 0.25)));
}

TEST_CASE("a NaN never holds, whichever side it is on") {
  CHECK(!passes(compared({not_a_number}, {1}, 1, 1)));
  CHECK(!passes(compared({1}, {not_a_number}, 1, 1)));
  CHECK(!passes(compared({not_a_number}, {not_a_number}, 1, 1)));
  CHECK(std::isnan(compared({1, not_a_number, 3}, {1, 2, 4}, 1, 1).abs));
}

TEST_CASE("an infinity holds only against itself") {
  CHECK(passes(compared({-infinity}, {-infinity})));
  CHECK(!passes(compared({infinity}, {-infinity}, 1, 1)));
  CHECK(!passes(compared({1}, {infinity}, 1, 1)));
  CHECK(!passes(compared({infinity}, {1}, 1, 1)));
}

TEST_CASE("errors are the largest ones; the relative error passes over what atol decides") {
  const CaseResult result = compared({1.5, 8, 1e-12}, {1, 10, 1e-14}, 1, 1e-11);
  CHECK(result.abs == 2);
  CHECK(result.rel == 0.5);
  CHECK(passes(result));
}

TEST_CASE("the worst output is named") {
  Comparison comparison(1e-3, 0);
  const std::vector<double> want = {1, 1};
  comparison.add("good", {2}, want, {2}, want);
  comparison.add("bad", {2}, std::vector<double>{1.1, 1}, {2}, want);
  comparison.add("worse", {2}, std::vector<double>{1, 1.2}, {2}, want);
  comparison.add("still bad", {2}, std::vector<double>{1.01, 1}, {2}, want);
  CHECK(says(comparison.result(), "`worse`: element 1 is 1.2, expected 1"));
}

TEST_CASE("shapes must be equal, but one number is one number") {
  Comparison comparison(0, 0);
  const std::vector<double> one = {1}, four = {1, 2, 3, 4};
  comparison.add("number", {}, one, {1, 1}, one);
  CHECK(passes(comparison.result()));
  comparison.add("matrix", {2, 2}, four, {4}, four);
  CHECK(!passes(comparison.result()));
  CHECK(says(comparison.result(), "`matrix` is [2,2], expected [4]"));
}

TEST_CASE("channels-last and back is the identity, and swaps what it should") {
  const Tensor x = Tensor::from({1, 2, 1, 3}, {0, 1, 2, 10, 11, 12});
  const Tensor y = channels_last(x);
  REQUIRE(y.shape() == Shape{1, 1, 3, 2});
  CHECK(y[0] == 0);
  CHECK(y[1] == 10);
  CHECK(y[5] == 12);
  const Tensor back = channels_first(y);
  REQUIRE(back.shape() == x.shape());
  for (Index i = 0; i < x.size(); ++i) CHECK(back[i] == x[i]);
}

TEST_CASE("a case passes") {
  const CaseResult result = CaseFile().run();
  CHECK(passes(result));
  CHECK(result.rel < 1e-6);
}

TEST_CASE("a wrong output fails the case") {
  const CaseResult result = CaseFile("op/exp", 2.7).run();
  CHECK(!passes(result));
  CHECK(says(result, "grad_x"));
}

TEST_CASE("an output that is not computed fails the case") {
  CaseFile c;
  c.file().write_doubles("outputs/second/thing", {1}, {0});
  const CaseResult result = c.run();
  CHECK(!passes(result));
  CHECK(says(result, "`second/thing` was not computed"));
}

TEST_CASE("an input that is missing fails the case, by name") {
  const CaseResult result = CaseFile("op/add_broadcast").run();
  CHECK(!passes(result));
  CHECK(says(result, "inputs/a"));
}

TEST_CASE("an unknown kind is unsupported, not passed") {
  CHECK(CaseFile("op/unheard_of").run().verdict == Verdict::unsupported);
}

TEST_CASE("a file that is no case is an error that says what is wrong") {
  CaseFile wrong_dtype;
  wrong_dtype.file().write_attribute("/", "dtype", "float16");
  CHECK_THROWS_WITH_AS(wrong_dtype.run(), doctest::Contains("float16"), Error);
  CaseFile negative;
  negative.file().write_attribute("/", "rtol", -1.0);
  CHECK_THROWS_WITH_AS(negative.run(), doctest::Contains("rtol"), Error);
  CHECK_THROWS_AS(run_case("/nowhere/at/all.h5"), Error);
}
