#pragma once
#include <string>
#include <vector>

#include "tests/helpers.h"

namespace reverie::inline REVERIE_PRECISION {

/// How a run of the program ended, and what it said.
struct Outcome {
  int code = -1;   ///< exit code; -1 if a signal ended it
  int signal = 0;  ///< that signal
  std::string out, err;
  double seconds = 0;
};

struct RunOptions {
  int signal = 0;                ///< sent ...
  double after = 0;              ///< ... so many seconds after the start, ...
  std::string after_file = {};   ///< ... and after this file exists, if it is named
  long largest_file = 0;         ///< bytes (RLIMIT_FSIZE): stands for a full disk
  long address_space = 0;        ///< bytes (RLIMIT_AS, `ulimit -v`)
  unsigned alarm = 0;            ///< seconds, after which SIGALRM ends it
  std::string stdout_file = {};  ///< where standard output goes, instead of a pipe
};

/// Runs the program as a user would, in the project's root. Its name is in the environment variable REVERIE_PROGRAM.
Outcome run(const std::vector<std::string>& arguments, const RunOptions& options = {});

/// The same on a terminal of so many columns, which is all of its output.
Outcome run_on_terminal(const std::vector<std::string>& arguments, int columns);

/// Cuts a text at a character: "a\nb\n" -> "a", "b".
std::vector<std::string> split(const std::string& text, char at);

/// Whether a run failed as users are told: the code, and one line `reverie: ...` with all the parts in it.
bool failed_with(const Outcome& outcome, int code, const std::vector<std::string>& parts);

/// The arguments of a small training run on points, which takes about a second; more may follow.
std::vector<std::string> small_run(const std::string& folder, const std::vector<std::string>& more = {});

/// Whether two checkpoints hold the same tensors, to the bit, and the same step.
bool same_checkpoints(const std::string& a, const std::string& b);

/// Writes an image set of `count` random images [size,size,1] in two classes, "dark" and "light".
void write_images(const std::string& path, Index count, Index size);

/// The checkpoint of a class-conditional unet, hardly trained on such images of 8 x 8; they lie beside its folder.
const std::string& unet_checkpoint();
const std::string& unet_images();

}  // namespace reverie::inline REVERIE_PRECISION
