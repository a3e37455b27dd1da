// Pictures and files of the forward and the reverse process.
#include <doctest/doctest.h>

#include <cmath>
#include <csignal>

#include "data/hdf5.h"
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

TEST_CASE("a trajectory has every x_t and predicted x_0 with their noise levels; the samples don't change") {
  const TemporaryFolder folder;
  for (const char* sampler : {"ddpm", "ddim", "heun", "dpmpp_2m_sde"}) {
    CAPTURE(std::string(sampler));
    const std::vector<std::string> plain = {"sample",    "--checkpoint", unet_checkpoint(), "--count", "20",
                                            "--sampler", sampler,        "--steps",         "5"};
    const auto drawn = [&](const std::string& out, const std::vector<std::string>& more) {
      std::vector<std::string> arguments = plain;
      arguments.insert(arguments.end(), {"--out", folder / out});
      arguments.insert(arguments.end(), more.begin(), more.end());
      const Outcome outcome = run(arguments);
      INFO(outcome.err);
      REQUIRE(outcome.code == 0);
      return read_text(folder / out);
    };
    const std::string path = folder / "t.h5";
    CHECK(drawn("a.npz", {}) == drawn("b.npz", {"--trajectory", path, "--memory", "1G"}));
    const Hdf5File file = Hdf5File::open(path);
    CHECK(file.read_string_attribute("/", "format") == "reverie trajectory");
    CHECK(contains(file.read_string_attribute("/", "source"), sampler));
    CHECK(file.shape("x_t") == Shape{6, 20, 8, 8, 1});
    CHECK(file.shape("pred_x0") == Shape{5, 20, 8, 8, 1});
    const std::vector<double> t = file.read_doubles("t"), alpha_bar = file.read_doubles("alpha_bar"),
                              sigma = file.read_doubles("sigma");
    REQUIRE(t.size() == 6);
    CHECK(t.front() > 38);  // of 0 to 39; grids of sigmas begin at the noisiest level of training
    CHECK(t.back() == -1);
    CHECK(alpha_bar.back() == 1);
    CHECK(sigma.back() == 0);
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(sigma[i] == doctest::Approx(std::sqrt(1 / alpha_bar[i] - 1)));
      if (i > 0) CHECK(alpha_bar[i] > alpha_bar[i - 1]);
    }
    const Tensor x_t = file.read_tensor("x_t"), pred_x0 = file.read_tensor("pred_x0");
    double squares = 0, differ = 0;
    const Tensor start = x_t.rows(0, 1);
    for (const real x : start.values()) squares += double(x) * double(x) / (20 * 64);
    CHECK(squares == doctest::Approx(1).epsilon(0.2));  // x_T
    const Tensor last = x_t.rows(5, 6), predicted = pred_x0.rows(4, 5);
    for (Index i = 0; i < last.size(); ++i) differ = std::max(differ, std::abs(double(last[i] - predicted[i])));
    CHECK(differ < 1e-5);  // the last sampling step leads to the predicted x_0
  }
}

TEST_CASE("a trajectory: wrong names, a full disk, an interruption") {
  const TemporaryFolder folder;
  const std::string path = folder / "t.h5";
  const auto arguments = [&](const std::string& trajectory, const std::string& count) {
    return std::vector<std::string>{"sample", "--checkpoint", unet_checkpoint(), "--count",      count,     "--steps",
                                    "40",     "--out",        folder / "x.h5",   "--trajectory", trajectory};
  };
  CHECK(failed_with(run(arguments(folder / "t.png", "4")), 2, {"--trajectory", ".h5"}));
  CHECK(failed_with(run(arguments(folder / "x.h5", "4")), 2, {"--trajectory", "--out"}));
  CHECK(failed_with(run(arguments(unet_checkpoint(), "4")), 2, {"--trajectory", "--checkpoint"}));
  CHECK(failed_with(run(arguments(path, "64"), {.largest_file = 100'000}), 1, {"t.h5", "can't be written", "MB"}));
  const Outcome stopped = run(arguments(path, "5000"), {.signal = SIGTERM, .after = 1});
  CHECK((stopped.code == 128 + SIGTERM || stopped.signal == SIGTERM));  // the latter before it begins to sample
  CHECK(folder.files() == 0);
  REQUIRE(run(arguments(path, "2")).code == 0);
  CHECK(failed_with(
      run({"sample", "--checkpoint", unet_checkpoint(), "--out", folder / "y.h5", "--trajectory", folder / "x.h5"}), 2,
      {"x.h5", "data set already"}));
}

namespace {

// The JSON that a page holds, as text.
std::string data_of(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const auto at = page.find(begin);
  REQUIRE(at != std::string::npos);
  return page.substr(at + begin.size(), page.find("</script>", at) - at - begin.size());
}

// A run with previews.
std::vector<std::string> run_with_previews(const std::string& folder, const std::vector<std::string>& more = {}) {
  std::vector<std::string> settings{"--set", "train.preview_every=100"};
  settings.insert(settings.end(), more.begin(), more.end());
  return small_run(folder, settings);
}

// One run that several tests look at, and change in copies only.
const std::string& finished_run() {
  static const TemporaryFolder folder;
  static const std::string path = [] {
    const Outcome outcome = run(run_with_previews(folder / "moons"));
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    return folder / "moons";
  }();
  return path;
}

}  // namespace

TEST_CASE("a run has a report that needs no other file: curves, previews, films, what was learned, the machine") {
  const std::string page = read_text(finished_run() + "/report.html"), data = data_of(page);
  CHECK(page.starts_with("<!doctype html>"));
  for (const char* outside : {"src=\"", "href=\"http", "@import", "url("})
    CHECK_MESSAGE(!contains(page, outside), outside);
  for (const char* part :
       {"\"name\":\"moons\"", "\"done\":400", "\"steps\":400", "\"validation_loss\":[[0,50,", "\"loss_q4\":[[",
        "\"nearest_sample\":[[100,200,300,400]", "\"nearest_held_out\"", "\"previews\":[{\"step\":100,\"png\":\"iVBOR",
        "{\"step\":300,\"png\"", "\"samples\":\"iVBOR", "\"forward\":\"iVBOR", "\"reverse\":\"iVBOR",
        "\"predicted\":\"iVBOR", "\"plane\":{\"step\":400", "\"facts\":{\"model\":\"mlp with ",
        "\"processor\":", "\"problems\":[]", "\"train.batch_size\",\"64\""})
    CHECK_MESSAGE(contains(data, part), part);
  CHECK(!contains(data, "<"));
}

TEST_CASE("a report compares with the known good curve where losses can be compared") {
  const TemporaryFolder folder;
  const std::vector<std::string> train = {"train", "--config",  "configs/toy-moons.toml", "--set", "train.steps=4",
                                          "--out", folder / "a"};
  REQUIRE(run(train).code == 0);
  const std::string data = data_of(read_text(folder / "a/report.html"));
  CHECK(contains(data, "\"curve\":{\"config\":\"configs/toy-moons.toml\",\"differs\":\"train.steps\""));
  CHECK(!contains(data_of(read_text(finished_run() + "/report.html")), "\"curve\""));  // another network
}

TEST_CASE("an interrupted and resumed run has one continuous report") {
  const TemporaryFolder folder;
  const std::string path = folder / "moons", page = path + "/report.html";
  const Outcome stopped =
      run(run_with_previews(path), {.signal = SIGTERM, .after_file = path + "/previews/step-000100.png"});
  REQUIRE(std::filesystem::exists(page));
  const std::string half = data_of(read_text(page));
  if (stopped.code != 0) CHECK(!contains(half, "\"done\":400"));
  REQUIRE(run({"train", "--out", path, "--resume"}).code == 0);
  const std::string data = data_of(read_text(page)), whole = data_of(read_text(finished_run() + "/report.html"));
  const auto part = [](const std::string& text, const std::string& name) {
    const auto at = text.find("\"" + name + "\":");
    REQUIRE(at != std::string::npos);
    return text.substr(at, text.find("]]", at) - at);
  };
  for (const char* series : {"validation_loss", "loss", "nearest_sample"})
    CHECK_MESSAGE(part(data, series) == part(whole, series), series);
  CHECK(read_text(path + "/report/plane.json") == read_text(finished_run() + "/report/plane.json"));
  std::size_t sessions = 0;
  for (auto at = data.find("\"processor\""); at != std::string::npos; at = data.find("\"processor\"", at + 1))
    ++sessions;
  CHECK(sessions == 2);
}

TEST_CASE("images have the terms of the bound in their report") {
  const std::string path = std::filesystem::path(unet_checkpoint()).parent_path();
  const std::string data = data_of(read_text(path + "/report.html"));
  CHECK(contains(data, "\"bound\":{\"step\":3,\"count\":8,\"t\":[0,1,2,"));
  CHECK(!contains(data, "\"plane\""));
}

TEST_CASE("a report that can't be written is an error like any other, and the run resumes") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "run/report.html");
  CHECK(failed_with(run(small_run(folder / "run")), 1, {"run/report.html", "is a folder"}));
}

TEST_CASE("report: a run again, from its folder; damaged and missing files are named and left out") {
  const TemporaryFolder folder;
  const std::string path = folder / "moons", page = path + "/report.html";
  std::filesystem::copy(finished_run(), path, std::filesystem::copy_options::recursive);
  const std::string before = read_text(page);
  Outcome outcome = run({"report", path});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(outcome.err == "");
  CHECK(contains(outcome.out, "The validation loss"));
  CHECK(contains(outcome.out, "report.html: the report of this run"));
  CHECK(data_of(read_text(page)).size() == data_of(before).size());

  const std::string metrics = read_text(path + "/metrics.jsonl");
  write_text(path + "/metrics.jsonl", metrics.substr(0, metrics.size() - 20));
  std::filesystem::remove_all(path + "/previews");
  write_text(path + "/report/plane.json", "{\"step\":");
  outcome = run({"report", path, "--out", folder / "x.html"});
  CHECK(outcome.code == 0);
  for (const char* part : {"metrics.jsonl: line 53 is damaged", "previews: has no previews", "plane.json: is damaged"})
    CHECK_MESSAGE(contains(outcome.err, part), part);
  const std::string data = data_of(read_text(folder / "x.html"));
  CHECK(contains(data, "metrics.jsonl: line 53 is damaged"));
  CHECK(!contains(data, "\"plane\""));
  std::filesystem::remove(path + "/config.toml");
  CHECK(contains(run({"report", path}).err, "config.toml"));
}

TEST_CASE("report: several runs in one page; which average draws the best samples") {
  const TemporaryFolder folder;
  const std::string other = folder / "other";
  REQUIRE(run(small_run(other, {"--set", "train.learning_rate=1e-3", "--set", "train.ema_rates=[0.9,0.99]"})).code ==
          0);
  const Outcome outcome = run({"report", finished_run(), other, "--out", folder / "x.html"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(contains(outcome.out, "the runs side by side"));
  const std::string data = data_of(read_text(folder / "x.html"));
  CHECK(contains(data, "\"name\":\"moons\""));
  CHECK(contains(data, "\"name\":\"other\""));
  const Outcome compared = run({"report", other, "--averages", "64"});
  INFO(compared.err);
  REQUIRE(compared.code == 0);
  CHECK(contains(compared.out, "Frechet distance of points, after step 400: ema:0.9 "));
  CHECK(contains(compared.out, "; best "));
  CHECK(contains(data_of(read_text(other + "/report.html")), "\"averages\":{\"step\":400,\"count\":64"));
}

TEST_CASE("report: wrong arguments") {
  const TemporaryFolder folder;
  CHECK(failed_with(run({"report", folder / "none"}), 1, {"none", "no such folder"}));
  CHECK(failed_with(run({"report", folder.path()}), 1, {"holds no training run"}));
  CHECK(failed_with(run({"report", finished_run(), finished_run()}), 2, {"--out"}));
  CHECK(failed_with(run({"report", finished_run(), "--out", folder / "x.pdf"}), 2, {"--out", ".html"}));
  CHECK(failed_with(run({"report", finished_run(), "--averages", "5"}), 2, {"--averages 5", "32"}));
  CHECK(failed_with(run({"report", finished_run(), "--classifier", "c.h5"}), 2, {"--classifier", "--averages"}));
  CHECK(failed_with(run({"report"}), 2, {"runs is required"}));
  CHECK(folder.files() == 0);
}
