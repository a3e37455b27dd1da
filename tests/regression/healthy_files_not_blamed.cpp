// A file that was open in a notebook, compressed by lzf or full of booleans was called truncated or damaged. Names in
// files reached the terminal with their control characters, and the command that resumes a run was not quoted.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <hdf5.h>
#include <sys/file.h>

#include "data/image_set.h"
#include "tests/helpers.h"

using namespace reverie;

TEST_CASE("HDF5: a file that another program writes is named as that") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  Hdf5File file = Hdf5File::create(path);
  file.write_attribute("/", "name", "x");
  file.close();
  const int other = ::open(path.c_str(), O_RDONLY);
  REQUIRE(::flock(other, LOCK_EX) == 0);
  CHECK(contains(error_of([&] { Hdf5File::open(path); }), "another program has it open for writing"));
  ::close(other);
  CHECK(error_of([&] { Hdf5File::open(path); }) == "nothing");
}

TEST_CASE("HDF5: a filter that is missing is named") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  constexpr H5Z_filter_t lzf = 32000;
  const H5Z_class2_t filter{
      H5Z_CLASS_T_VERS,
      lzf,
      1,
      1,
      "lzf",
      nullptr,
      nullptr,
      [](unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*, void**) { return bytes; }};
  H5Zregister(&filter);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t count = 64;
  const hid_t space = H5Screate_simple(1, &count, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 1, &count);
  H5Pset_filter(creation, lzf, 0, 0, nullptr);
  const hid_t dataset = H5Dcreate2(file, "images", H5T_NATIVE_UINT8, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  const std::vector<std::uint8_t> values(count, 3);
  H5Dwrite(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(dataset);
  H5Pclose(creation);
  H5Sclose(space);
  H5Fclose(file);
  H5Zunregister(lzf);
  CHECK(
      error_of([&] { Hdf5File::open(path).read_uint8("images"); }) ==
      path +
          ": `images` is compressed by lzf (filter 32000), which this HDF5 library can't read; expected gzip or none");
}

TEST_CASE("HDF5: a type that doesn't fit is named") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  Hdf5File file = Hdf5File::create(path);
  file.write_stored("flags", {Dtype::boolean, {2}, {0, 1}});
  file.close();
  CHECK(contains(error_of([&] { Hdf5File::open(path).read_int64("flags"); }), "`flags` is bool, expected integers"));
  CHECK(contains(error_of([&] { Hdf5File::open(path).read_uint8("flags"); }), "`flags` is bool, expected uint8"));
  CHECK(contains(error_of([&] { Hdf5File::open(path).read_tensor("flags"); }), "`flags` is bool, expected numbers"));
}

TEST_CASE("printable text has no control characters, however they are written") {
  CHECK(printable("größer ☃ 🙂 a\\b") == "größer ☃ 🙂 a\\b");
  CHECK(printable("a\nb\r\tc") == "a\\nb\\r\\tc");
  CHECK(printable("\x1b[2J\x07\x7f") == "\\x1b[2J\\x07\\x7f");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\u009b31m");  // CSI as one character
  CHECK(printable("\x9b"
                  "31m") == "\\x9b31m");  // and as a byte that is not UTF-8
  CHECK(printable("\xe2\x80\xae"
                  "gnp.a") == "\\u202egnp.a");  // from right to left
  CHECK(printable("\xc0\x8a\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82") ==
        "\\xc0\\x8a\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xe2\\x82");
  CHECK(printable(std::string("a\0b", 3)) == "a\\x00b");
  CHECK(printable(printable("\x1b\n")) == printable("\x1b\n"));
  CHECK(Error("\x1b]0;title\x07", ": bad").what() == std::string("\\x1b]0;title\\x07: bad"));
}

TEST_CASE("a word for the shell is quoted if it must be, and reads back") {
  CHECK(shell_word("runs/a-1_b.c") == "runs/a-1_b.c");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("my runs") == "'my runs'");
  CHECK(shell_word("a'b") == "'a'\\''b'");
  CHECK(shell_word("a\x1b'\n") == "$'a\\x1b\\'\\x0a'");
  const TemporaryFolder folder;
  for (const std::string word : {"$HOME;ls", "`ls`", "a'b\"c", "*?~!#&|<>(){}[]\\ ", "a\nb\x1b\xff'\\"}) {
    const std::string script = folder / "script", out = folder / "out";
    write_text(script, "printf %s " + shell_word(word) + " > " + shell_word(out) + "\n");
    REQUIRE(std::system(("bash " + script).c_str()) == 0);
    CHECK(read_text(out) == word);
  }
}
