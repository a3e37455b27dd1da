// An HDF5 file could make the program read any other file, by links, external storage and virtual datasets: `convert`
// copied the other file's bytes into its output. A FIFO in the place of a file blocked every command.
#include <doctest/doctest.h>
#include <hdf5.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include "data/idx.h"
#include "data/png.h"
#include "data/safetensors.h"
#include "data/stored_set.h"
#include "diffusion/model/checkpoint.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

/// A file with the dataset `secret`, and another with the dataset `own`, to which links may be added.
struct TwoFiles {
  TemporaryFolder folder;
  std::string secret = folder / "secret.h5", path = folder / "a.h5";
  hid_t file;

  TwoFiles() {
    Hdf5File other = Hdf5File::create(secret);
    other.write_uint8("secret", {4}, {1, 2, 3, 4});
    other.close();
    file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hsize_t count = 4;
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    H5Dclose(H5Dcreate2(file, "own", H5T_NATIVE_UINT8, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
  }

  std::vector<std::string> errors(const std::string& name) {
    H5Fclose(file);
    return {error_of([&] { Hdf5File::open(path).read_stored(name); }),
            error_of([&] { Hdf5File::open(path).shape(name); }), error_of([&] { read_state_dict(path); })};
  }
};

hid_t vector_space(hsize_t count) { return H5Screate_simple(1, &count, nullptr); }

}  // namespace

TEST_CASE("HDF5: links to other files are refused, even through a soft link, and whether the file exists or not") {
  for (const char* target : {"secret.h5", "none.h5"}) {
    TwoFiles files;
    H5Lcreate_external(target, "secret", files.file, "link", H5P_DEFAULT, H5P_DEFAULT);
    for (const std::string& error : files.errors("link")) {
      CHECK(error == files.path + ": `link` is a link to another file; expected an object in this file");
    }
  }
  TwoFiles files;
  H5Gclose(H5Gcreate2(files.file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Lcreate_external("secret.h5", "/", files.file, "group/outside", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/group/outside/secret", files.file, "soft", H5P_DEFAULT, H5P_DEFAULT);
  for (const std::string& error : files.errors("soft")) CHECK(contains(error, "is a link to another file"));
  CHECK(contains(error_of([&] { Hdf5File::open(files.path).has("soft"); }), "`soft` is a link to another file"));
}

TEST_CASE("HDF5: links of user-defined kinds are refused") {
  TwoFiles files;
  const H5L_class_t kind{H5L_LINK_CLASS_T_VERS,
                         static_cast<H5L_type_t>(100),
                         "own",
                         nullptr,
                         nullptr,
                         nullptr,
                         [](const char*, hid_t group, const void*, std::size_t, hid_t, hid_t) {
                           return H5Oopen(group, "/own", H5P_DEFAULT);
                         },
                         nullptr,
                         nullptr};
  H5Lregister(&kind);
  H5Lcreate_ud(files.file, "link", static_cast<H5L_type_t>(100), "x", 1, H5P_DEFAULT, H5P_DEFAULT);
  for (const std::string& error : files.errors("link"))
    CHECK(contains(error, "`link` is a link of a user-defined kind"));
  H5Lunregister(static_cast<H5L_type_t>(100));
}

TEST_CASE("HDF5: soft links are followed inside the file; one that leads nowhere or in a circle is an error") {
  TwoFiles files;
  H5Gclose(H5Gcreate2(files.file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Lcreate_soft("/own", files.file, "group/absolute", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("absolute", files.file, "group/relative", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/none", files.file, "dangling", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/circle", files.file, "circle", H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(files.file);
  const Hdf5File file = Hdf5File::open(files.path);
  CHECK(file.shape("group/relative") == Shape{4});
  CHECK(file.datasets("group") == std::vector<std::string>{"absolute", "relative"});
  CHECK(contains(error_of([&] { file.shape("dangling"); }), "`dangling` is a link to `/none`, which is missing"));
  CHECK(contains(error_of([&] { file.has("dangling"); }), "`dangling` is a link to `/none`, which is missing"));
  CHECK(contains(error_of([&] { file.shape("circle"); }), "`circle` is a link that leads to more than 16 others"));
}

TEST_CASE("HDF5: datasets with values in other files are refused: external storage, virtual datasets") {
  {
    TwoFiles files;
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = vector_space(8);
    H5Pset_external(creation, files.secret.c_str(), 0, 8);
    H5Dclose(H5Dcreate2(files.file, "link", H5T_NATIVE_UINT8, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
    for (const std::string& error : files.errors("link"))
      CHECK(contains(error, "`link` has its values in another file, " + files.secret));
  }
  TwoFiles files;
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = vector_space(4);
  H5Pset_virtual(creation, space, "secret.h5", "secret", space);
  H5Dclose(H5Dcreate2(files.file, "link", H5T_NATIVE_UINT8, space, H5P_DEFAULT, creation, H5P_DEFAULT));
  H5Pclose(creation);
  H5Sclose(space);
  for (const std::string& error : files.errors("link")) CHECK(contains(error, "`link` is a virtual dataset"));
}

TEST_CASE("no reader opens a FIFO, a device, a socket or a folder") {
  const TemporaryFolder folder;
  const std::string fifo = folder / "fifo.png", socket_path = folder / "socket";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_path.c_str(), sizeof address.sun_path - 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const std::pair<std::string, std::string> kinds[] = {
      {fifo, "a pipe (FIFO)"}, {"/dev/zero", "a device"}, {socket_path, "a socket"}, {folder.path(), "a folder"}};
  for (const auto& [path, kind] : kinds) {
    const std::string& input = path;
    const auto refuses = [&, what = input + ": is " + kind + ", expected a file"](auto&& read) {
      CHECK(contains(error_of(read), what));
    };
    refuses([&] { Hdf5File::open(input); });
    refuses([&] { load_dataset(input); });
    refuses([&] { read_checkpoint(input); });
    refuses([&] { read_state_dict(input); });
    refuses([&] { read_safetensors(input); });
    refuses([&] { read_png(input); });
    refuses([&] { read_idx(input); });
    refuses([&] { load_config(input); });
  }
  close(socket);
}
