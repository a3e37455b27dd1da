#include "data/nifti.h"

#include <doctest/doctest.h>
#include <nifti1_io.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/helpers.h"

using namespace reverie;

namespace {

using Change = std::function<void(nifti_1_header&)>;

// A file of voxels of a type, made by hand: nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
template <class Value>
std::string nifti(
    std::array<short, 3> size, int datatype, const std::vector<Value>& voxels,
    const Change& change = [](nifti_1_header&) {}, bool swapped = false) {
  nifti_1_header header{};
  header.sizeof_hdr = 348;
  header.dim[0] = 3;
  for (int i = 0; i < 3; ++i) header.dim[i + 1] = size[i];
  for (int i = 4; i < 8; ++i) header.dim[i] = 1;
  header.datatype = static_cast<short>(datatype);
  header.bitpix = 8 * sizeof(Value);
  header.vox_offset = 352;
  std::copy_n("n+1", 4, header.magic);
  change(header);
  std::vector<Value> stored = voxels;
  if (swapped) {
    swap_nifti_header(&header, 1);
    if (sizeof(Value) > 1) nifti_swap_Nbytes(stored.size(), sizeof(Value), stored.data());
  }
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + std::string(4, '\0') +
         std::string(reinterpret_cast<const char*>(stored.data()), stored.size() * sizeof(Value));
}

void write_gzip(const std::string& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

template <class Value>
std::vector<Value> counting(std::size_t count) {
  std::vector<Value> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<Value>(i);
  return values;
}

const auto doubles = [](std::array<short, 3> size) {
  return nifti(size, DT_FLOAT32, counting<float>(static_cast<std::size_t>(size[0] * size[1] * size[2])));
};

}  // namespace

TEST_CASE("NIfTI: every type, in either byte order, plain or gzipped, scaled") {
  const TemporaryFolder folder;
  const auto check = [&]<class Value>(int datatype, Value) {
    for (const bool swapped : {false, true}) {
      for (const bool packed : {false, true}) {
        const std::string path = folder / (packed ? "a.nii.gz" : "a.nii");
        const Change scale = [](nifti_1_header& h) {
          h.scl_slope = 2;
          h.scl_inter = 1;
        };
        const std::string bytes = nifti({4, 3, 2}, datatype, counting<Value>(24), scale, swapped);
        packed ? write_gzip(path, bytes) : write_text(path, bytes);
        const Volume volume = read_nifti(path);
        CHECK(volume.size == std::array<Index, 3>{4, 3, 2});
        CHECK(volume.at(1, 2, 1) == 2 * (1 + 4 * 2 + 12) + 1);
      }
    }
  };
  check(DT_UINT8, std::uint8_t{});
  check(DT_INT8, std::int8_t{});
  check(DT_UINT16, std::uint16_t{});
  check(DT_INT16, std::int16_t{});
  check(DT_UINT32, std::uint32_t{});
  check(DT_INT32, std::int32_t{});
  check(DT_FLOAT32, float{});
  check(DT_FLOAT64, double{});
}

TEST_CASE("NIfTI: damaged files, false claims and values that are not finite are errors that name the file") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.nii";
  const auto error = [&](const std::string& bytes) {
    write_text(path, bytes);
    const std::string text = error_of([&] { read_nifti(path); });
    CHECK_MESSAGE(text.starts_with(path + ": "), text);
    return text;
  };
  const auto changed = [&](const Change& change) {
    return error(nifti({4, 3, 2}, DT_INT16, counting<std::int16_t>(24), change));
  };
  const std::string whole = doubles({4, 3, 2});
  CHECK(contains(error(""), "is not a NIfTI file: it has only 0 bytes"));
  CHECK(contains(error(std::string(400, 'x')), "is not a NIfTI file"));
  CHECK(contains(error(whole.substr(0, 300)), "it has only 300 bytes"));
  for (const std::size_t cut : {std::size_t{348}, std::size_t{352}, whole.size() - 1})
    CHECK(contains(error(whole.substr(0, cut)), "is truncated: 24 voxels take 96 bytes"));
  CHECK(contains(error(whole + "x"), "more bytes than the 96"));
  CHECK(contains(changed([](auto& h) { h.magic[0] = 'x'; }), "lacks the mark"));
  CHECK(contains(changed([](auto& h) { std::copy_n("ni1", 4, h.magic); }), "half of a pair"));
  CHECK(contains(changed([](auto& h) { h.sizeof_hdr = 540; }), "is a NIfTI-2 file"));
  CHECK(contains(changed([](auto& h) { h.dim[0] = 9; }), "it has 9 dimensions"));
  CHECK(contains(changed([](auto& h) { h.dim[2] = -3; }), "dimension 2 has the extent -3"));
  CHECK(contains(changed([](auto& h) {
                   h.dim[0] = 4;
                   h.dim[4] = 5;
                 }),
                 "an extent of 5 in dimension 4; expects a volume"));
  CHECK(contains(changed([](auto& h) { h.datatype = DT_RGB24; }), "voxels of type 128"));
  CHECK(contains(changed([](auto& h) { h.bitpix = 32; }), "voxels of type 4 (32 bits)"));
  CHECK(contains(changed([](auto& h) { h.vox_offset = NAN; }), "voxels begin at byte nan"));
  CHECK(contains(changed([](auto& h) { h.vox_offset = 1e30F; }), "voxels begin at byte 1e+30"));
  CHECK(contains(changed([](auto& h) { h.scl_slope = std::numeric_limits<float>::infinity(); }), "its scale is inf"));
  CHECK(contains(changed([](auto& h) { h.dim[1] = h.dim[2] = h.dim[3] = 32767; }), "the header announces 3.5"));
  std::vector<float> voxels = counting<float>(24);
  voxels[17] = NAN;
  CHECK(contains(error(nifti({4, 3, 2}, DT_FLOAT32, voxels)), "voxel (1, 1, 1) is nan; expects finite values"));
  write_gzip(folder / "a.nii.gz", whole);
  const std::string packed = read_text(folder / "a.nii.gz");
  for (std::size_t i = 12; i < packed.size(); ++i) {  // gzip has a checksum
    std::string damaged = packed;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x11);
    error(damaged);
    error(packed.substr(0, i));
  }
}

TEST_CASE("a window: values, and percentiles of the voxels above 0") {
  Volume volume{{101, 1, 2}, {}};
  for (int i = -101; i <= 100; ++i) volume.values.push_back(static_cast<float>(i));
  const auto window = [&](const char* text) {
    const Window w = window_of(volume, text, "a");
    return std::pair(w.low, w.high);
  };
  CHECK(window("-5,20.5") == std::pair(-5.0, 20.5));
  CHECK(window("0,p100") == std::pair(0.0, 100.0));
  CHECK(window("p0,p50").first == 1);
  CHECK(std::abs(window("p0,p50").second - 50.5) <= 0.5);
  for (const char* wrong : {"", "1", "1,", ",1", "a,b", "1,2,3", "p-1,5", "0,p101", "0,nan", "5,5", "p99,0"})
    CHECK_THROWS_AS(window(wrong), UsageError);
  volume.values.assign(202, 0);
  CHECK(contains(error_of([&] { window("0,p99"); }), "has no voxel above 0"));
}

TEST_CASE("slices across each axis are upright: x or y to the right, y or z upwards") {
  const TemporaryFolder folder;
  write_text(folder / "a.nii", doubles({4, 3, 2}));  // voxel (x, y, z) is x + 4 y + 12 z
  const auto read = [&](const NiftiOptions& options) { return read_nifti_images({folder / "a.nii"}, {}, options).set; };
  const ImageSet across_z = read({.window = "0,255"});
  CHECK(across_z.count == 2);
  CHECK(across_z.sample_shape() == Shape{3, 4, 1});
  CHECK(across_z.images[0] == 8);             // x = 0, y = 2, z = 0
  CHECK(across_z.images[12 + 11] == 3 + 12);  // x = 3, y = 0, z = 1
  const ImageSet across_x = read({.axis = 0, .window = "0,255"});
  CHECK(across_x.count == 4);
  CHECK(across_x.sample_shape() == Shape{2, 3, 1});
  CHECK(across_x.images[0] == 12);
  CHECK(across_x.images[6 + 4] == 1 + 4);
  const ImageSet across_y = read({.axis = 1, .every = 2, .window = "0,255"});
  CHECK(across_y.count == 2);
  CHECK(across_y.sample_shape() == Shape{2, 4, 1});
  CHECK(across_y.images[8] == 12 + 8);
  const ImageSet centre = read({.height = 1, .width = 2, .window = "0,255"});
  CHECK(centre.images == std::vector<std::uint8_t>{5, 6, 17, 18});
  CHECK(read({.window = "4,8"}).images[3] == 255);  // clipped
}

TEST_CASE("patches: positions, brain, masks, groups") {
  const TemporaryFolder folder;
  std::vector<float> voxels(6 * 4 * 2, 1), lesions(voxels.size(), 0);
  for (const std::size_t i : {0, 1, 6, 7}) voxels[i] = -0.5F;  // the patch at the origin is outside the brain
  lesions[2] = 1;                                              // in the second patch of the first slice
  write_text(folder / "a.nii", nifti({6, 4, 2}, DT_FLOAT32, voxels));
  write_text(folder / "mask.nii", nifti({6, 4, 2}, DT_FLOAT32, lesions));
  std::string notes;
  const auto read = [&](MaskFilter filter, double brain = 0.7) {
    NiftiOptions options{.patch = 2, .stride = 2, .window = "0,1", .brain = brain, .filter = filter};
    notes.clear();
    options.note = [&](const std::string& text) { notes = text; };
    return read_nifti_images({folder / "a.nii", folder / "a.nii"}, {folder / "mask.nii", folder / "mask.nii"}, options);
  };
  const GroupedImages all = read(MaskFilter::all);
  CHECK(all.set.count == 2 * (12 - 1));
  CHECK(std::count(all.groups.begin(), all.groups.end(), 1) == 11);
  CHECK(std::count(all.set.masks.begin(), all.set.masks.end(), 1) == 2);
  CHECK(all.set.masks[2] == 1);  // u = 2, v = 0: bottom left of the first patch
  CHECK(notes == "left out: 2 with less than 70% brain (first: " + folder / "a.nii" + ", slice 0)");
  CHECK(read(MaskFilter::without).set.count == 2 * 10);
  CHECK(read(MaskFilter::without).set.masks.empty());
  CHECK(contains(notes, "2 with voxels in the mask (first: "));
  CHECK(read(MaskFilter::with).set.count == 2);
  CHECK(read(MaskFilter::all, 0).set.count == 24);

  write_text(folder / "b.nii", doubles({6, 5, 2}));
  const auto error = [&](const std::vector<std::string>& volumes, const std::vector<std::string>& masks,
                         const NiftiOptions& options) {
    return error_of([&] { read_nifti_images(volumes, masks, options); });
  };
  const std::string a = folder / "a.nii", b = folder / "b.nii";
  CHECK(contains(error({a}, {b}, {}), "b.nii: has 6x5x2 voxels, " + a + " has 6x4x2"));
  CHECK(contains(error({a, b}, {}, {.window = "0,1"}), "b.nii: its slices are 5x6, those of " + a + " are 4x6"));
  CHECK(contains(error({a}, {}, {.patch = 5, .stride = 1}), "its slices are 4x6, smaller than 5x6"));
  CHECK(contains(error({a}, {}, {.window = "0,1", .brain = 1}), "gives no images") == false);
  CHECK(contains(error({a}, {folder / "mask.nii"}, {.patch = 6, .stride = 1}), "smaller than 6x6"));
  CHECK_THROWS_AS(read_nifti_images({a, b}, {a}, {}), UsageError);
  CHECK_THROWS_AS(read_nifti_images({a}, {}, {.filter = MaskFilter::with}), UsageError);
  CHECK_THROWS_AS(read_nifti_images({a}, {}, {.axis = 3}), UsageError);
  CHECK_THROWS_AS(read_nifti_images({a}, {}, {.brain = 1.5}), UsageError);
  CHECK_THROWS_AS(read_nifti_images({}, {}, {}), UsageError);
}
