// Writes a C++ source that holds files: embed OUT.cpp NAME=FILE... Runs at build time; apps/meson.build calls it.
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

int main(int argc, char** argv) {
  std::ofstream out(argc > 1 ? argv[1] : "", std::ios::binary);
  out << "#include \"apps/page/assets.h\"\n\nnamespace reverie::inline REVERIE_PRECISION {\n"
         "const std::map<std::string, std::string_view>& assets() {\n"
         "  static const std::map<std::string, std::string_view> all{\n";
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i], name = argument.substr(0, argument.find('='));
    std::ifstream file(argument.substr(name.size() + 1), std::ios::binary);
    if (!file) {
      std::cerr << "embed: " << argument << ": can't be read\n";
      return 1;
    }
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    out << "    {\"" << name << "\", {\"";
    for (std::size_t k = 0; k < bytes.size(); ++k) {
      constexpr std::size_t line = 100;
      if (k > 0 && k % line == 0) out << "\"\n      \"";
      const auto byte = static_cast<unsigned char>(bytes[k]);
      const bool plain = byte >= ' ' && byte < 127 && byte != '"' && byte != '\\' && byte != '?';
      if (plain) {
        out << bytes[k];
      } else {
        out << '\\' << (byte >> 6) << (byte >> 3 & 7) << (byte & 7);  // octal, always three digits
      }
    }
    out << "\", " << bytes.size() << "}},\n";
  }
  out << "  };\n  return all;\n}\n}  // namespace reverie::inline REVERIE_PRECISION\n";
  out.close();
  return out ? 0 : 1;
}
