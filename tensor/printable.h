#pragma once
#include <string>
#include <string_view>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Text from a file or the command line, made safe to print: control characters, invisible characters that reorder
/// text, and bytes that are not UTF-8 become escapes like \n, \x1b or \u202e. Otherwise a name could move the cursor,
/// forge lines or hide text on a terminal. Escaping twice changes nothing more. Errors escape their message themselves.
std::string printable(std::string_view text);

/// The text as one word of a shell's command line: quoted if it has other characters than letters, digits and
/// %+,-./:=@_
std::string shell_word(const std::string& text);

}  // namespace reverie::inline REVERIE_PRECISION
