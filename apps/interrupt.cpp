#include "apps/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace reverie::inline REVERIE_PRECISION {
namespace {

volatile std::sig_atomic_t noted = 0;

extern "C" void note(int signal) {
  if (noted == 0) noted = signal;
}

}  // namespace

void note_interrupts() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGUSR1, SIGUSR2}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;  // ignored already, e.g. in a script's background job
    struct sigaction action {};
    action.sa_handler = note;
    // A closing terminal may send SIGHUP twice, and the CPU limit SIGXCPU every second, so only these two end it.
    const bool ends_at_second = signal == SIGINT || signal == SIGTERM;
    action.sa_flags = SA_RESTART | (ends_at_second ? static_cast<int>(SA_RESETHAND) : 0);
    sigaction(signal, &action, nullptr);
  }
}

int interrupted() { return noted; }

}  // namespace reverie::inline REVERIE_PRECISION
