#include "data/atomic_file.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>

#include "data/hdf5.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

/// While this lives, no file of the process may grow beyond `bytes`, so that writing fails as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limited{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limited);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }

 private:
  void (*signal_)(int);
  rlimit before_{};
};

}  // namespace

TEST_CASE("write_atomically replaces the file as a whole") {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  write_text(path, "old");
  write_atomically(path, [&](const std::string& temporary_path) {
    CHECK(std::filesystem::path(temporary_path).parent_path() == folder.path());
    write_text(temporary_path, "new");
    CHECK(read_text(path) == "old");
  });
  CHECK(read_text(path) == "new");
  CHECK(folder.files() == 1);
}

TEST_CASE("write_atomically: after a failure only the old file is left") {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  write_text(path, "old");
  CHECK_THROWS_AS(write_atomically(path,
                                   [&](const std::string& temporary_path) {
                                     write_text(temporary_path, "half");
                                     throw std::runtime_error("stop");
                                   }),
                  std::runtime_error);
  CHECK(read_text(path) == "old");
  CHECK(folder.files() == 1);
  CHECK(contains(error_of([&] {
                   write_atomically(folder / "no/file",
                                    [](const std::string& temporary) { write_bytes(temporary, {}); });
                 }),
                 "there is no folder"));
}

TEST_CASE("write_atomically: a disk that fills up while an HDF5 file is written") {
  const TemporaryFolder folder;
  const std::string path = folder / "file.h5";
  write_text(path, "old");
  std::string error;
  {
    const FileSizeLimit limit(10'000);
    error = error_of([&] {
      write_atomically(path, [](const std::string& temporary_path) {
        Hdf5File file = Hdf5File::create(temporary_path);
        for (int i = 0; i < 100; ++i) file.write_tensor(concat("weights/", i), Tensor::zeros({1000}));
        file.close();
      });
    });
  }
  CHECK(contains(error, "can't be written: File too large"));
  CHECK(read_text(path) == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("write_bytes reports a full disk") {
  if (!std::filesystem::exists("/dev/full")) return;
  CHECK(error_of([] { write_bytes("/dev/full", std::string("text")); }) ==
        "/dev/full: can't be written: No space left on device");
}
