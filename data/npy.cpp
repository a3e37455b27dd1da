#include "data/npy.h"

#include <zip.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>

#include "data/atomic_file.h"
#include "data/input_file.h"
#include "data/room.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr std::string_view magic("\x93NUMPY", 6);
static_assert(std::endian::native == std::endian::little);

template <class Value>
double as_double(const char* bytes) {
  Value value;
  std::memcpy(&value, bytes, sizeof value);
  return static_cast<double>(value);
}

struct Type {
  const char* name;
  Index bytes;
  double (*value)(const char*);
};
constexpr Type types[] = {
    {"b1", 1, as_double<std::uint8_t>},  {"u1", 1, as_double<std::uint8_t>},  {"i1", 1, as_double<std::int8_t>},
    {"u2", 2, as_double<std::uint16_t>}, {"i2", 2, as_double<std::int16_t>},  {"u4", 4, as_double<std::uint32_t>},
    {"i4", 4, as_double<std::int32_t>},  {"u8", 8, as_double<std::uint64_t>}, {"i8", 8, as_double<std::int64_t>},
    {"f4", 4, as_double<float>},         {"f8", 8, as_double<double>}};

const Type* type_of(const std::string& name) {
  const Type* found = std::find_if(std::begin(types), std::end(types), [&](const Type& t) { return name == t.name; });
  return found == std::end(types) ? nullptr : found;
}

// The text after 'KEY': in the header, a Python dictionary with three keys.
std::string_view after_key(std::string_view header, const std::string& key, const std::string& where) {
  const std::size_t at = header.find("'" + key + "'");
  const std::size_t colon = at == header.npos ? at : header.find(':', at);
  if (colon == header.npos) throw Error(where, ": is damaged: its header has no `", key, "`");
  header.remove_prefix(std::min(header.find_first_not_of(' ', colon + 1), header.size()));
  return header;
}

// Reads "(3, 4)".
std::vector<Index> extents_of(std::string_view text, const std::string& where) {
  std::vector<Index> extents;
  const std::size_t end = text.find(')');
  if (!text.starts_with('(') || end == text.npos) throw Error(where, ": is damaged: its shape is no list of numbers");
  for (std::size_t i = 1; i < end;) {
    if (text[i] == ' ' || text[i] == ',') {
      ++i;
      continue;
    }
    Index extent = 0;
    const std::size_t first = i;
    for (; i < end && text[i] >= '0' && text[i] <= '9' && i - first < 15; ++i) extent = 10 * extent + (text[i] - '0');
    if (i == first || extents.size() == 32) throw Error(where, ": is damaged: its shape is no list of numbers");
    extents.push_back(extent);
  }
  return extents;
}

// Reads the content of a .npy file.
NpyArray parse(std::vector<char> content, const std::string& where) {
  const std::string_view bytes(content.data(), content.size());
  if (!bytes.starts_with(magic)) throw Error(where, ": is not a .npy file: it lacks the mark of NumPy's arrays");
  if (bytes.size() < 12) throw Error(where, ": is truncated: it ends within the header");
  const int version = bytes[6];
  if (version < 1 || version > 3) throw Error(where, ": has version ", version, " of the format, expected 1 to 3");
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[i])}; };
  const std::size_t start = version == 1 ? 10 : 12;
  const std::size_t length = byte(8) | byte(9) << 8 | (version == 1 ? 0 : byte(10) << 16 | byte(11) << 24);
  if (length > bytes.size() - start) throw Error(where, ": is truncated: it ends within the header");
  const std::string_view header = bytes.substr(start, length);

  NpyArray array;
  const std::string_view descr = after_key(header, "descr", where);
  const std::size_t quote = descr.find('\'', 1);
  const std::string name(descr.starts_with('\'') && quote != descr.npos ? descr.substr(1, quote - 1) : "a structure");
  const Type* type = name.size() < 2 ? nullptr : type_of(name.substr(1));
  if (type == nullptr || name.find_first_of("<|>=") != 0)
    throw Error(where, ": has values of type ", name, "; expects whole or real numbers: u1, i4, f4, ...");
  if (!after_key(header, "fortran_order", where).starts_with("False"))
    throw Error(where, ": is in Fortran's order; save it with numpy.ascontiguousarray(...)");
  array.type = type->name;
  array.extents = extents_of(after_key(header, "shape", where), where);
  double size = static_cast<double>(type->bytes);
  for (const Index extent : array.extents) size *= static_cast<double>(extent);
  const std::size_t there = bytes.size() - start - length;
  if (size != static_cast<double>(there))
    throw Error(where, ": is damaged or truncated: its values take ", size, " bytes, there are ", there);
  content.erase(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(start + length));
  if (name[0] == '>') {
    for (auto value = content.begin(); value != content.end(); value += type->bytes)
      std::reverse(value, value + type->bytes);
  }
  array.bytes = std::move(content);
  return array;
}

std::string npy_header(const NpyArray& array) {
  std::string shape;
  for (const Index extent : array.extents) shape += concat(extent, ", ");
  if (array.extents.size() > 1) shape.resize(shape.size() - 2);
  if (array.extents.size() == 1) shape.pop_back();
  std::string text = concat("{'descr': '", type_of(array.type)->bytes == 1 ? '|' : '<', array.type,
                            "', 'fortran_order': False, 'shape': (", shape, "), }");
  text.resize((10 + text.size() + 1 + 63) / 64 * 64 - 11, ' ');  // the values begin at a multiple of 64
  text += '\n';
  return concat(magic, '\1', '\0', static_cast<char>(text.size() & 255), static_cast<char>(text.size() >> 8), text);
}

using Archive = std::unique_ptr<zip_t, void (*)(zip_t*)>;

std::string reason(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

}  // namespace

NpyArray NpyArray::of(const Tensor& tensor) {
  NpyArray array{sizeof(real) == 4 ? "f4" : "f8", {}, {}};
  for (Index axis = 0; axis < tensor.rank(); ++axis) array.extents.push_back(tensor.extent(axis));
  const auto* bytes = reinterpret_cast<const char*>(tensor.data());
  array.bytes.assign(bytes, bytes + tensor.size() * Index{sizeof(real)});
  return array;
}

NpyArray NpyArray::of(std::vector<Index> extents, const std::vector<Index>& values) {
  static_assert(sizeof(Index) == 8);
  NpyArray array{"i8", std::move(extents), {}};
  const auto* bytes = reinterpret_cast<const char*>(values.data());
  array.bytes.assign(bytes, bytes + values.size() * sizeof(Index));
  return array;
}

NpyArray NpyArray::of(std::vector<Index> extents, const std::vector<std::uint8_t>& values) {
  return {"u1", std::move(extents), {values.begin(), values.end()}};
}

Index NpyArray::count() const { return std::ssize(bytes) / type_of(type)->bytes; }
double NpyArray::value(Index i) const {
  const Type* known = type_of(type);
  return known->value(bytes.data() + i * known->bytes);
}

NpyArray read_npy(const std::string& path) {
  const InputFile file(path);
  return parse(file.read(0, file.size()), path);
}

std::map<std::string, NpyArray> read_npz(const std::string& path) {
  const InputFile file(path);
  const std::vector<char> content = file.read(0, file.size());
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(content.data(), content.size(), 0, &error);
  if (source == nullptr) throw Error(path, ": can't be read: ", reason(zip_error_code_zip(&error)));
  const Archive archive(zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error), zip_discard);
  if (!archive) {
    zip_source_free(source);
    throw Error(path, ": is damaged or not a .npz file: ", reason(zip_error_code_zip(&error)));
  }
  std::map<std::string, NpyArray> arrays;
  double claimed = 0;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  if (count == 0) throw Error(path, ": is not a .npz file, or has no arrays");
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t facts;
    constexpr zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE;
    if (zip_stat_index(archive.get(), i, 0, &facts) != 0 || (facts.valid & needed) != needed)
      throw Error(path, ": is damaged: entry ", i, " has no name or size");
    std::string name = facts.name;
    const std::string where = concat(path, ": ", name);
    if (!name.ends_with(".npy")) throw Error(where, ": is not an array; expects X.npy");
    claimed += static_cast<double>(facts.size);
    if (!believable(claimed, static_cast<double>(content.size())))
      throw Error(where, ": claims ", facts.size, " bytes, too many for a file of ", content.size());
    std::vector<char> bytes = room_for<char>(facts.size, where);
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> entry(zip_fopen_index(archive.get(), i, 0), zip_fclose);
    if (!entry) throw Error(where, ": can't be read: ", zip_strerror(archive.get()));
    // One byte more, so that the end is reached and the checksum compared.
    char more = 0;
    if (zip_fread(entry.get(), bytes.data(), bytes.size()) != static_cast<zip_int64_t>(bytes.size()) ||
        zip_fread(entry.get(), &more, 1) != 0)
      throw Error(where, ": is damaged: ", zip_file_strerror(entry.get()));
    name.resize(name.size() - 4);
    arrays[name] = parse(std::move(bytes), where);
  }
  return arrays;
}

void write_npz(const std::string& path, const std::map<std::string, NpyArray>& arrays) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_t* archive = source == nullptr ? nullptr : zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error);
  const auto fail = [&](const std::string& why) { throw Error(path, ": can't be made: ", why); };
  if (archive == nullptr) fail(reason(zip_error_code_zip(&error)));
  zip_source_keep(source);  // after the archive is closed
  const std::unique_ptr<zip_source_t, void (*)(zip_source_t*)> owner(source, zip_source_free);
  Archive unfinished(archive, zip_discard);
  std::vector<std::vector<char>> files;  // until the archive is closed
  for (const auto& [name, array] : arrays) {
    const std::string header = npy_header(array);
    std::vector<char>& file = files.emplace_back(header.begin(), header.end());
    file.insert(file.end(), array.bytes.begin(), array.bytes.end());
    zip_source_t* part = zip_source_buffer(archive, file.data(), file.size(), 0);
    const zip_int64_t i = zip_file_add(archive, (name + ".npy").c_str(), part, ZIP_FL_ENC_UTF_8);
    if (i < 0) {
      zip_source_free(part);
      fail(zip_strerror(archive));
    }
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(i), ZIP_CM_STORE, 0);
    constexpr zip_uint16_t midnight = 0, first_of_1980 = 1 << 5 | 1;  // ZIP's earliest: the same arrays, the same bytes
    zip_file_set_dostime(archive, static_cast<zip_uint64_t>(i), midnight, first_of_1980, 0);
  }
  if (zip_close(archive) != 0) fail(zip_strerror(archive));
  static_cast<void>(unfinished.release());
  zip_stat_t facts;
  if (zip_source_open(source) != 0 || zip_source_stat(source, &facts) != 0) fail("out of memory");
  std::vector<char> bytes = room_for<char>(facts.size, path);
  const bool whole = zip_source_read(source, bytes.data(), bytes.size()) == static_cast<zip_int64_t>(bytes.size());
  zip_source_close(source);
  if (!whole) fail("its end is missing");
  write_atomically(path, bytes);
}

}  // namespace reverie::inline REVERIE_PRECISION
