// Pictures and files of the forward and the reverse process.
#include <doctest/doctest.h>

#include "data/png.h"
#include "tests/apps/program.h"

using namespace reverie;

TEST_CASE("diffuse: a row for each sample, a column for x_0 and each time step; the same bits again") {
  const TemporaryFolder folder;
  const std::string set = folder / "images.h5", out = folder / "x.png";
  write_images(set, 20, 8);
  const Outcome outcome = run({"diffuse", "--data", set, "--out", out, "--count", "3", "--columns", "4"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(contains(outcome.out, "3 samples"));
  CHECK(contains(outcome.out, "cosine schedule with 1000 time steps"));
  for (const char* t : {"     249  ", "     499       0.494", "     749  ", "     999    2.43e-09"})
    CHECK_MESSAGE(contains(outcome.out, t), t);
  const Picture film = read_png(out);
  const Index cell = film.width / 5;
  CHECK(film.width - 5 * cell < cell);
  CHECK(film.height / cell == 3);
  REQUIRE(run({"diffuse", "--data", set, "--out", folder / "y.png", "--count", "3", "--columns", "4"}).code == 0);
  CHECK(read_png(folder / "y.png").pixels == film.pixels);
  REQUIRE(run({"diffuse", "--data", set, "--out", folder / "z.png", "--count", "3", "--at", "249,499,749,999"}).code ==
          0);
  CHECK(read_png(folder / "z.png").pixels == film.pixels);
}

TEST_CASE("diffuse: points have a panel for each column; the chain is the configuration's unless flags change it") {
  const TemporaryFolder folder;
  const std::string out = folder / "x.png";
  Outcome outcome = run({"diffuse", "--data", "toy:two_moons", "--config", "configs/toy-moons.toml", "--out", out});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(contains(outcome.out, "linear schedule with 100 time steps"));
  CHECK(read_png(out).width > 10 * read_png(out).height);
  outcome = run({"diffuse", "--data", "toy:two_moons", "--schedule", "linear", "--out", out});
  CHECK(contains(outcome.out, "     999    4.04e-05"));
}

TEST_CASE("diffuse: wrong arguments") {
  const TemporaryFolder folder;
  const auto fails = [&](std::vector<std::string> more, int code, const std::vector<std::string>& parts) {
    more.insert(more.begin(), {"diffuse", "--out", folder / "x.png"});
    CHECK(failed_with(run(more), code, parts));
  };
  fails({"--data", "toy:moons"}, 2, {"moons", "two_moons"});
  fails({"--data", folder / "none.h5"}, 1, {"none.h5"});
  fails({"--data", "toy:two_moons", "--schedule", "lin"}, 2, {"lin", "linear", "cosine"});
  fails({"--data", "toy:two_moons", "--schedule", "linear", "--steps", "10"}, 2, {"linear", "10"});
  fails({"--data", "toy:two_moons", "--at", "5,1000"}, 2, {"--at 1000", "0 to 999"});
  fails({"--data", "toy:two_moons", "--at", "5", "--columns", "3"}, 2, {"--columns", "--at"});
  fails({"--data", "toy:two_moons", "--at", "-1"}, 2, {"--at"});
  fails({"--data", "toy:two_moons", "--count", "0"}, 2, {"--count"});
  CHECK(failed_with(run({"diffuse", "--data", "toy:two_moons", "--out", folder / "x.h5"}), 2, {"--out", ".png"}));
  CHECK(folder.files() == 0);
}
