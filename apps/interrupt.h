#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Long work was asked to stop, and has said what there was to say. The program exits with 128 + the signal.
struct Interrupted {};

/// From now on the first Ctrl-C (SIGINT) or SIGTERM is only noted, for the work to end tidily; the second ends the
/// program at once.
void note_interrupts();
/// The signal that was noted; 0 for none.
int interrupted();

}  // namespace reverie::inline REVERIE_PRECISION
