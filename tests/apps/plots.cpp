// reverie schedule and reverie plot.
#include <doctest/doctest.h>

#include "tests/apps/program.h"

using namespace reverie;

TEST_CASE("reverie schedule prints a few time steps, and writes all of them as a table or a plot") {
  const TemporaryFolder folder;
  const Outcome printed = run({"schedule", "linear", "cosine"});
  REQUIRE(printed.code == 0);
  CHECK(contains(printed.out, "0.0785872"));  // alpha_bar at t = 499
  CHECK(contains(printed.out, "0.493844"));
  REQUIRE(run({"schedule", "linear", "cosine", "--shows", "snr", "--out", folder / "snr.csv"}).code == 0);
  const std::vector<std::string> lines = split(read_text(folder / "snr.csv"), '\n');
  REQUIRE(lines.size() == 1001);
  CHECK(lines[0] == "t,linear,cosine");
  CHECK(lines[1].starts_with("0,9999"));
  REQUIRE(run({"schedule", "--steps", "50", "--out", folder / "all.svg"}).code == 0);
  for (const char* name : {"linear", "cosine", "log_snr"}) CHECK(contains(read_text(folder / "all.svg"), name));
  const Outcome weights = run({"schedule", "cosine", "--weights", "eps"});
  CHECK(weights.code == 0);
  CHECK(contains(weights.out, "min_snr"));
}

TEST_CASE("reverie schedule: a wrong word is named") {
  CHECK(failed_with(run({"schedule", "linaer"}), 2, {"linaer", "linear, cosine"}));
  CHECK(failed_with(run({"schedule", "--shows", "noise"}), 2, {"noise", "alpha_bar, snr"}));
  CHECK(failed_with(run({"schedule", "--weights", "eps"}), 2, {"--weights", "got 0 names"}));
  CHECK(failed_with(run({"schedule", "cosine", "--weights", "noise"}), 2, {"noise", "eps, x0, v"}));
  CHECK(failed_with(run({"schedule", "cosine", "--weights", "v", "--shows", "snr"}), 2, {"--shows", "no effect"}));
  CHECK(failed_with(run({"schedule", "linear", "--steps", "20"}), 2, {"at least 21"}));
  CHECK(failed_with(run({"schedule", "--out", "schedule.png"}), 2, {"--out", ".svg"}));
}

TEST_CASE("reverie plot draws columns of tables and metrics of runs") {
  const TemporaryFolder folder;
  write_text(folder / "a.csv", "t,vb,\"m, x\"\n0,1,5\n1,,6\n2,0.5,7\n");
  REQUIRE(run({"plot", folder / "a.csv", "--y", "vb", "--title", "Bits", "--out", folder / "a.svg"}).code == 0);
  const std::string svg = read_text(folder / "a.svg");
  CHECK(contains(svg, ">Bits<"));
  CHECK(contains(svg, ">vb<"));
  REQUIRE(run(small_run(folder / "run")).code == 0);
  REQUIRE(run({"plot", folder / "run", folder / "a.csv", "--y", "loss", "--out", folder / "b.svg"}).code == 2);
  const Outcome runs = run({"plot", folder / "run", folder / "run" + "/metrics.jsonl", "--y", "loss", "--names",
                            "one,two", "--log-y", "--out", folder / "b.svg"});
  REQUIRE(runs.code == 0);
  for (const char* name : {">one<", ">two<", ">step<"}) CHECK(contains(read_text(folder / "b.svg"), name));
}

TEST_CASE("reverie plot: what is wrong with an input is named, and nothing is written") {
  const TemporaryFolder folder;
  const std::string csv = folder / "a.csv", out = folder / "a.svg";
  const auto plot = [&](const std::string& text, const std::string& y) {
    write_text(csv, text);
    return run({"plot", csv, "--y", y, "--out", out});
  };
  CHECK(failed_with(plot("t,vb\n0,1\n", "mse"), 2, {"a.csv", "no column \"mse\"", "t, vb"}));
  CHECK(failed_with(plot("t,vb\n0,1\n1\n", "vb"), 1, {"line 3", "1 fields"}));
  CHECK(failed_with(plot("t,vb\n0,one\n", "vb"), 1, {"line 2", "\"one\""}));
  CHECK(failed_with(plot("", "vb"), 2, {"no column", "none"}));
  CHECK(failed_with(run({"plot", folder / "no.csv", "--y", "vb", "--out", out}), 1, {"no.csv"}));
  CHECK(failed_with(run({"plot", folder / "a.txt", "--y", "vb", "--out", out}), 2, {"X.csv"}));
  write_text(csv, "t,vb\n0,1\n");
  CHECK(failed_with(run({"plot", csv, "--y", "vb", "--names", "a,b", "--out", out}), 2, {"--names", "1 curves"}));
  CHECK(failed_with(run({"plot", csv, "--y", "vb", "--out", csv}), 2, {"--out"}));
  write_text(folder / "m.jsonl", "{\"step\":1,\"loss\":2}\n");
  CHECK(failed_with(run({"plot", folder / "m.jsonl", "--y", "los", "--out", out}), 2,
                    {"m.jsonl", "the metrics are step, loss"}));
  CHECK_FALSE(std::filesystem::exists(out));
}
