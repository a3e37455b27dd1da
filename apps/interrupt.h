#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Thrown when a signal stops long work, after its messages are printed. The program exits with 128 + the signal.
struct Interrupted {};

/// From now on the first Ctrl-C (SIGINT) or SIGTERM is only noted, so that the work can end cleanly; the second ends
/// the program at once.
void note_interrupts();
/// Returns the signal that was noted; 0 for none.
int interrupted();

}  // namespace reverie::inline REVERIE_PRECISION
