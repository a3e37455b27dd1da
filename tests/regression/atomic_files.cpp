// Temporary files were called PATH.tmp.PID: equal in two containers, open to planted links, and left after a kill.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>

#include "data/atomic_file.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

std::string temporary_name_of(const std::string& path) {
  std::string name;
  write_atomically(path, [&](const std::string& temporary) {
    name = temporary;
    write_bytes(temporary, std::string("new"));
  });
  return name;
}

}  // namespace

TEST_CASE("temporary files have names that nobody can foresee, and are new") {
  const TemporaryFolder folder;
  const std::string first = temporary_name_of(folder / "file"), second = temporary_name_of(folder / "file");
  CHECK(first != second);
  CHECK(!contains(first, std::to_string(::getpid())));
  write_atomically(folder / "file", [&](const std::string& temporary) {
    CHECK(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666) < 0);  // it exists before it is written
    write_bytes(temporary, std::string("new"));
  });
  CHECK(folder.files() == 1);
}

TEST_CASE("two writers of one file don't meet: one of the contents stays, whole") {
  const TemporaryFolder folder;
  write_atomically(folder / "file", [&](const std::string& outer) {
    write_atomically(folder / "file", [&](const std::string& inner) {
      CHECK(inner != outer);
      write_bytes(inner, std::string("inner"));
    });
    CHECK(read_text(folder / "file") == "inner");
    CHECK(std::filesystem::exists(outer));  // locked: not taken for stale
    write_bytes(outer, std::string("outer"));
  });
  CHECK(read_text(folder / "file") == "outer");
  CHECK(folder.files() == 1);
}

TEST_CASE("what a killed program left is removed by the next write in the folder; links and locked files are not") {
  const TemporaryFolder folder;
  const std::string stale = folder / ".reverie-0000000000000001.tmp", used = folder / ".reverie-0000000000000002.tmp",
                    link = folder / ".reverie-0000000000000003.tmp", precious = folder / "precious";
  for (const std::string& file : {stale, used, precious}) write_text(file, "content");
  std::filesystem::create_symlink(precious, link);
  const int file = ::open(used.c_str(), O_RDWR);
  REQUIRE(::flock(file, LOCK_EX) == 0);
  write_atomically(folder / "file", std::string("new"));
  CHECK(!std::filesystem::exists(stale));
  CHECK(std::filesystem::exists(used));
  CHECK(read_text(precious) == "content");
  ::close(file);
  write_atomically(folder / "file", std::string("new"));
  CHECK(!std::filesystem::exists(used));
}

TEST_CASE("a failed write names the file that the user named, also where its name is as long as names can be") {
  const TemporaryFolder folder;
  const std::string path = folder / std::string(255, 'x');
  CHECK(error_of([&] {
          write_atomically(path, [](const std::string& temporary) { throw Error(temporary, ": the disk is full"); });
        }) == path + ": the disk is full");
  write_atomically(path, std::string("new"));
  CHECK(read_text(path) == "new");
  CHECK(folder.files() == 1);
}
