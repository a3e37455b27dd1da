#include "data/safetensors.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "data/atomic_file.h"
#include "data/room.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t length_bytes = 8, max_header = 100'000'000;
constexpr const char* metadata_key = "__metadata__";

/// A file to read, with errors that name it.
struct Reader {
  const std::string& path;
  std::ifstream file;
  std::uint64_t size;

  explicit Reader(const std::string& path) : path(path), file(path, std::ios::binary) {
    if (std::filesystem::is_directory(path)) fail("is a folder, not a file of weights");
    if (!file) fail("can't be read: ", std::strerror(errno));
    std::error_code error;
    size = std::filesystem::file_size(path, error);
    if (error) fail("can't be read: ", error.message());
  }

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... what) const {
    throw Error(path, ": ", what...);
  }

  std::vector<char> read(std::uint64_t from, std::uint64_t count) {
    std::vector<char> bytes = room_for<char>(count, path + ": a part of it");
    file.seekg(from);
    if (!file.read(bytes.data(), count)) fail("can't be read to its end");
    return bytes;
  }
};

// Parses the header: a JSON object without duplicate names.
Json parse_header(const Reader& reader, const std::vector<char>& text) {
  std::set<std::string> names;
  std::string duplicate;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth == 1 && event == Json::parse_event_t::key && !names.insert(parsed.get<std::string>()).second)
      duplicate = parsed.get<std::string>();
    return true;
  };
  Json header = Json::parse(text.begin(), text.end(), watch, false);
  if (!header.is_object()) reader.fail("is not a safetensors file: its header is not a JSON object");
  for (const std::string& name : names)
    if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < ' '; }))
      reader.fail("the header has a name with control characters");
  if (!duplicate.empty()) reader.fail("the header names `", duplicate, "` twice");
  return header;
}

std::map<std::string, std::string> read_metadata(const Reader& reader, const Json& json) {
  if (!json.is_object()) reader.fail("`", metadata_key, "` is not a JSON object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : json.items()) {
    if (!text.is_string()) reader.fail("`", metadata_key, "`: `", key, "` is not a string");
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

/// A tensor's entry in the header.
struct Entry {
  std::string name;
  StoredTensor tensor;       // without its bytes
  std::uint64_t begin, end;  // of its bytes, from the end of the header
};

// Reads the list of whole numbers `what` of an entry.
std::vector<std::uint64_t> read_list(const Reader& reader, const std::string& name, const Json& entry,
                                     const char* what) {
  const auto list = entry.find(what);
  const bool good = list != entry.end() && list->is_array() &&
                    std::all_of(list->begin(), list->end(), [](const Json& n) { return n.is_number_unsigned(); });
  if (!good) reader.fail("`", name, "` has no list of whole numbers `", what, "`");
  return list->get<std::vector<std::uint64_t>>();
}

Entry read_entry(const Reader& reader, const std::string& name, const Json& json, std::uint64_t data_bytes) {
  if (!json.is_object()) reader.fail("the header's `", name, "` is not a JSON object");
  const auto dtype_json = json.find("dtype");
  if (dtype_json == json.end() || !dtype_json->is_string()) reader.fail("`", name, "` has no string `dtype`");
  const auto dtype_name = dtype_json->get<std::string>();
  const auto dtype = std::find_if(dtypes().begin(), dtypes().end(),
                                  [&](const DtypeInfo& known) { return known.safetensors == dtype_name; });
  if (dtype == dtypes().end()) {
    std::string known;
    for (const DtypeInfo& d : dtypes()) known += (known.empty() ? "" : ", ") + std::string(d.safetensors);
    reader.fail("`", name, "` has the unknown type ", dtype_name, "; expected one of ", known);
  }

  const std::vector<std::uint64_t> shape = read_list(reader, name, json, "shape");
  if (shape.size() > Shape::max_rank)
    reader.fail("`", name, "` has ", shape.size(), " axes, the maximum is ", Shape::max_rank);
  // Products are compared with the size of the file, so that they can't overflow.
  std::uint64_t bytes = dtype->bytes;
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  for (const std::uint64_t extent : shape) {
    if (extent > std::uint64_t{std::numeric_limits<Index>::max()})
      reader.fail("`", name, "` has an extent of ", extent);
    bytes = empty ? 0 : extent > data_bytes / bytes ? data_bytes + 1 : bytes * extent;
    if (bytes > data_bytes) reader.fail("`", name, "` is larger than the file: truncated?");
  }

  const std::vector<std::uint64_t> offsets = read_list(reader, name, json, "data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1]) reader.fail("`", name, "`: expects `data_offsets` [BEGIN, END]");
  if (offsets[1] > data_bytes) {
    reader.fail("`", name, "` ends at byte ", offsets[1], " of the data, which has ", data_bytes, ": truncated?");
  }
  if (offsets[1] - offsets[0] != bytes) {
    reader.fail("`", name, "` has ", offsets[1] - offsets[0], " bytes, but its type and shape need ", bytes);
  }
  return {name, {dtype->dtype, Shape(std::vector<Index>(shape.begin(), shape.end())), {}}, offsets[0], offsets[1]};
}

// Checks that every byte of the data belongs to exactly one tensor.
void require_gapless(const Reader& reader, std::vector<Entry> entries, std::uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.begin < end) reader.fail("`", entry.name, "` overlaps the tensor before it");
    if (entry.begin > end) reader.fail("there is a gap of ", entry.begin - end, " bytes before `", entry.name, "`");
    end = entry.end;
  }
  if (end != data_bytes) reader.fail(data_bytes - end, " bytes at the end belong to no tensor");
}

}  // namespace

StateDict read_safetensors(const std::string& path) {
  Reader reader(path);
  if (reader.size < length_bytes) reader.fail("is not a safetensors file: it has only ", reader.size, " bytes");
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, reader.read(0, length_bytes).data(), length_bytes);
  if (header_bytes > reader.size - length_bytes) {
    reader.fail("is truncated or not a safetensors file: its header would have ", header_bytes, " bytes, the file has ",
                reader.size);
  }
  if (header_bytes > max_header) reader.fail("has a header of ", header_bytes, " bytes, the maximum is ", max_header);
  const Json header = parse_header(reader, reader.read(length_bytes, header_bytes));

  StateDict dict;
  std::vector<Entry> entries;
  const std::uint64_t start = length_bytes + header_bytes, data_bytes = reader.size - start;
  for (const auto& [name, json] : header.items()) {
    if (name == metadata_key) {
      dict.metadata = read_metadata(reader, json);
    } else {
      entries.push_back(read_entry(reader, name, json, data_bytes));
    }
  }
  require_gapless(reader, entries, data_bytes);
  for (Entry& entry : entries) {
    entry.tensor.bytes = reader.read(start + entry.begin, entry.end - entry.begin);
    dict.tensors[entry.name] = std::move(entry.tensor);
  }
  return dict;
}

void write_safetensors(const std::string& path, const StateDict& dict) {
  using Item = std::pair<const std::string, StoredTensor>;
  std::vector<const Item*> items;
  for (const Item& item : dict.tensors) {
    const StoredTensor& tensor = item.second;
    if (item.first == metadata_key) throw Error(path, ": a tensor can't be called ", metadata_key);
    if (std::ssize(tensor.bytes) != tensor.shape.size() * info(tensor.dtype).bytes)
      throw Error(path, ": `", item.first, "` has ", tensor.bytes.size(), " bytes for the shape ", tensor.shape);
    items.push_back(&item);
  }
  std::stable_sort(items.begin(), items.end(), [](const Item* a, const Item* b) {
    return info(a->second.dtype).bytes > info(b->second.dtype).bytes;
  });

  Json header = Json::object();
  if (!dict.metadata.empty()) header[metadata_key] = dict.metadata;
  std::size_t end = 0;
  for (const Item* item : items) {
    const auto& [name, tensor] = *item;
    const std::size_t begin = end;
    end += tensor.bytes.size();
    header[name] = {{"dtype", info(tensor.dtype).safetensors},
                    {"shape", std::vector<Index>(tensor.shape.begin(), tensor.shape.end())},
                    {"data_offsets", {begin, end}}};
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception&) {
    throw Error(path, ": safetensors requires names in UTF-8");
  }
  text.append((length_bytes - text.size() % length_bytes) % length_bytes, ' ');
  const std::uint64_t length = text.size();
  std::vector<char> bytes(length_bytes + length + end);
  std::memcpy(bytes.data(), &length, length_bytes);
  auto to = std::copy(text.begin(), text.end(), bytes.begin() + length_bytes);
  for (const Item* item : items) to = std::copy(item->second.bytes.begin(), item->second.bytes.end(), to);
  write_bytes(path, bytes);
}

}  // namespace reverie::inline REVERIE_PRECISION
