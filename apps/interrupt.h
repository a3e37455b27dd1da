#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Thrown when a signal stops long work, after its messages are printed. The program exits with 128 + the signal.
struct Interrupted {};

/// From now on the signals by which terminals and batch systems stop a program (Ctrl-C, SIGTERM, SIGHUP, SIGXCPU,
/// SIGUSR1, SIGUSR2) are only noted, so that the work can end cleanly. A second Ctrl-C or a second SIGTERM ends the
/// program at once. Signals that are ignored already, as SIGHUP under nohup, stay ignored.
void note_interrupts();
/// Returns the first signal that was noted; 0 for none.
int interrupted();

}  // namespace reverie::inline REVERIE_PRECISION
