// OpenBLAS starts a thread per core while it is loaded, before `main`, each with 140 MB of address space. They have
// nothing to do here, and if a limit (`ulimit -v`) leaves no room for them, OpenBLAS keeps trying for ever. So under
// such a limit the program executes itself again with OPENBLAS_NUM_THREADS=1, before OpenBLAS is loaded.
#if defined(REVERIE_OPENBLAS) && defined(__linux__)
#include <alloca.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>

namespace {

// Runs before a sanitizer is ready.
[[gnu::no_sanitize("address", "thread", "undefined")]] void limit_blas_threads(int, char** arguments,
                                                                               char** environment) {
  constexpr char name[] = "OPENBLAS_NUM_THREADS=";
  static char setting[] = "OPENBLAS_NUM_THREADS=1";
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  std::size_t count = 0;
  for (; environment[count]; ++count) {
    if (std::strcmp(environment[count], setting) == 0) return;
  }
  auto** changed = static_cast<char**>(alloca((count + 2) * sizeof(char*)));
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (std::strncmp(environment[i], name, sizeof name - 1) != 0) changed[size++] = environment[i];
  }
  changed[size++] = setting;
  changed[size] = nullptr;
  execve("/proc/self/exe", arguments, changed);  // if it fails, the program goes on as it is
}

// Functions in this section of a program run before those of its libraries.
[[gnu::section(".preinit_array"), gnu::used]] void (*const before_libraries)(int, char**, char**) = limit_blas_threads;

}  // namespace
#endif
