#include "apps/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace reverie::inline REVERIE_PRECISION {
namespace {

volatile std::sig_atomic_t noted = 0;

extern "C" void note(int signal) {
  noted = signal;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace

void note_interrupts() {
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) {  // SIGPIPE: nobody reads the output any more
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;  // ignored already, e.g. in a script's background job
    struct sigaction action {};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, nullptr);
  }
}

int interrupted() { return noted; }

}  // namespace reverie::inline REVERIE_PRECISION
