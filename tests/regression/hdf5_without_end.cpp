// Small files that are endless to read: a group that contains itself was followed until the stack overflowed, and a
// dataset with more values than an Index can count had a wrong size.
#include <doctest/doctest.h>
#include <hdf5.h>

#include "data/hdf5.h"
#include "tests/helpers.h"

using namespace reverie;

TEST_CASE("HDF5: a soft or hard link back to a group above is an error") {
  const TemporaryFolder folder;
  const std::string path = folder / "loop.h5";
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  for (const char* name : {"soft", "hard", "hard/deeper"})
    H5Gclose(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Lcreate_soft("/soft", file, "soft/again", H5P_DEFAULT, H5P_DEFAULT);
  for (const char* name : {"hard/deeper/a", "hard/deeper/b"})
    H5Lcreate_hard(file, "hard", file, name, H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  const auto error = [&](const char* group) { return error_of([&] { Hdf5File::open(path).datasets(group); }); };
  CHECK(contains(error("hard"), path + ": `hard/deeper/a/` is a group that has another name"));
  CHECK(contains(error("/"), path + ": `hard/deeper/a/` is a group that has another name"));
  CHECK(contains(error("soft"), path + ": `soft/again/"));  // HDF5 follows 16 nested soft links
}

TEST_CASE("HDF5: the error for more values than an Index can count names the dataset") {
  const TemporaryFolder folder;
  const std::string path = folder / "huge.h5";
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t extents[] = {hsize_t{1} << 40, hsize_t{1} << 40}, chunk[] = {64, 64};
  const hid_t space = H5Screate_simple(2, extents, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 2, chunk);
  H5Dclose(H5Dcreate2(file, "images", H5T_NATIVE_UINT8, space, H5P_DEFAULT, creation, H5P_DEFAULT));
  H5Pclose(creation);
  H5Sclose(space);
  H5Fclose(file);
  const std::string error = error_of([&] { Hdf5File::open(path).shape("images"); });
  CHECK(contains(error, path + ": `images` is damaged"));
  CHECK(contains(error, "[1099511627776,1099511627776]"));
}
