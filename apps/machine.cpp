#include "apps/machine.h"

#include <unistd.h>

#include <cmath>
#include <ctime>
#include <fstream>
#include <iomanip>

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

Machine this_machine() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  const double bytes = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  return {concat(std::put_time(&local, "%Y-%m-%d %H:%M")), processor(), threads(),
          concat(std::llround(bytes / 1e9), " GB")};
}

}  // namespace reverie::inline REVERIE_PRECISION
