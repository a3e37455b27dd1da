// What must happen before the libraries start, under a limit on the address space (`ulimit -v`) or on the number of
// threads. OpenBLAS starts a thread per core while it is loaded, each with 140 MB of address space. They have nothing
// to do here, and where there is no room for them, OpenBLAS keeps trying for ever. So the program executes itself again
// with OPENBLAS_NUM_THREADS=1. Where there is hardly any room at all, other libraries crash; so the program ends.
#if defined(REVERIE_OPENBLAS) && defined(__linux__)
#include <alloca.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>

namespace {

// Runs before a sanitizer is ready.
__attribute__((no_sanitize("address", "thread", "undefined"))) void prepare_for_limits(int, char** arguments,
                                                                                       char** environment) {
  constexpr char name[] = "OPENBLAS_NUM_THREADS=";
  static char setting[] = "OPENBLAS_NUM_THREADS=1";
  constexpr rlim_t few_threads = 4096;  // of all of the user's programs
  rlimit space{RLIM_INFINITY, RLIM_INFINITY}, threads = space;
  getrlimit(RLIMIT_AS, &space);
  getrlimit(RLIMIT_NPROC, &threads);
  if (space.rlim_cur == RLIM_INFINITY && threads.rlim_cur > few_threads) return;
  constexpr std::size_t least = 16'000'000;
  void* room = mmap(nullptr, least, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) {
    constexpr char message[] = "reverie: out of memory: the limit on its address space (ulimit -v) is too low\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
    _exit(1);
  }
  munmap(room, least);
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
[[gnu::section(".preinit_array"), gnu::used]] void (*const before_libraries)(int, char**, char**) = prepare_for_limits;

}  // namespace
#endif
