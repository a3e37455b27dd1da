#include "data/json_images.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/input_file.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// Takes the pixels while the text is read: a tree of all values would need sixteen times the memory.
class Pixels : public nlohmann::json_sax<Json> {
 public:
  Pixels(const std::string& path, Index size, std::vector<std::uint8_t>& pixels, Tally& left_out)
      : path_(path), size_(size), pixels_(pixels), left_out_(left_out) {}
  bool found() const { return found_; }

  bool null() override { return other("null"); }
  bool boolean(bool) override { return other("a truth value"); }
  bool string(string_t&) override { return other("a text"); }
  bool binary(binary_t&) override { return other("bytes"); }
  bool number_float(number_float_t value, const string_t&) override { return other(concat(value)); }
  bool number_integer(number_integer_t value) override { return other(concat(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    if (!in_data_ || depth_ != 3 || value > 255) return other(concat(value));
    if (++count_ > size_) fail("has more than ", size_, " pixels");
    pixels_.push_back(static_cast<std::uint8_t>(value));
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ == 1) in_data_ = name == "data";
    if (in_data_ && depth_ == 1) {
      if (found_) throw Error(path_, ": has two lists `data`");
      found_ = true;
    }
    return true;
  }
  bool start_object(std::size_t) override {
    if (in_data_ && depth_ > 0) other("an object");
    return enter();
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0) throw Error(path_, ": is a list, expected {\"data\": [[pixel, ...], ...]}");
    if (in_data_ && depth_ > 2) other("a list");
    count_ = 0;
    return enter();
  }
  bool end_object() override { return leave(); }
  bool end_array() override {
    if (in_data_ && depth_ == 3) {
      if (count_ == 0)
        left_out_.add("images without pixels", concat(fs::path(path_).filename().string(), ": image ", image_));
      if (count_ > 0 && count_ < size_) fail("has ", count_, " pixels, expected ", size_);
      ++image_;
    }
    return leave();
  }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) override {
    throw Error(path_, ": is damaged or not JSON, at byte ", at);
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... what) const {
    throw Error(path_, ": image ", image_, " ", what...);
  }
  // A value that is no pixel: ignored, except where pixels belong.
  bool other(const std::string& value) const {
    if (in_data_) fail("holds ", value, "; expects lists of whole numbers from 0 to 255");
    return true;
  }
  bool enter() {
    constexpr int most = 64;
    if (++depth_ > most) throw Error(path_, ": is nested more than ", most, " deep");
    return true;
  }
  bool leave() {
    --depth_;
    if (depth_ <= 1) in_data_ = false;
    return true;
  }

  const std::string& path_;
  Index size_;
  std::vector<std::uint8_t>& pixels_;
  Tally& left_out_;
  int depth_ = 0;
  bool in_data_ = false, found_ = false;
  Index image_ = 0, count_ = 0;
};

std::vector<std::string> json_files(const std::string& folder, Tally& left_out) {
  if (!fs::is_directory(folder)) throw Error(folder, fs::exists(folder) ? ": is not a folder" : ": no such folder");
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".json") && !name.starts_with('.')) {
      names.push_back(entry.path().stem().string());
    } else {
      left_out.add("other files and folders", name);
    }
  }
  if (error) throw Error(folder, ": can't be read: ", error.message());
  if (names.empty()) throw Error(folder, ": has no JSON files");
  return distinct(std::move(names));
}

}  // namespace

ImageSet read_json_images(const std::string& folder, Index height, Index width,
                          const std::vector<std::string>& class_names, const Note& note) {
  constexpr std::uint64_t max_bytes = std::uint64_t{1} << 31;
  Tally left_out;
  const std::vector<std::string> files = json_files(folder, left_out);
  if (!class_names.empty() && class_names.size() != files.size())
    throw UsageError(folder, ": has ", files.size(), " JSON files, but ", class_names.size(), " class names are given");
  ImageSet set;
  set.height = height;
  set.width = width;
  set.channels = 1;
  set.class_names = class_names.empty() ? files : class_names;
  const Index size = height * width;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string path = (fs::path(folder) / (files[i] + ".json")).string();
    Pixels pixels(path, size, set.images, left_out);
    Json::sax_parse(InputFile(path).text(max_bytes), &pixels);
    if (!pixels.found()) throw Error(path, ": has no list `data`");
    set.labels.resize(set.images.size() / static_cast<std::size_t>(size), static_cast<Index>(i));
  }
  set.count = std::ssize(set.labels);
  const std::string omitted = left_out.text();
  if (set.count == 0) throw Error(folder, ": has no images", omitted.empty() ? "" : "; left out: ", omitted);
  if (!omitted.empty()) note("left out: " + omitted);
  set.validate(folder);
  return set;
}

}  // namespace reverie::inline REVERIE_PRECISION
