#pragma once
#include "data/png.h"

namespace reverie::inline REVERIE_PRECISION {

/// A JPEG that was read, and what reading it changed.
struct JpegFile {
  Picture picture;
  bool turned = false;   ///< EXIF says that the picture is stored turned or mirrored; this is upright
  bool cmyk = false;     ///< stored in printing colours (CMYK, YCCK), converted without a colour profile
  bool profile = false;  ///< has a colour profile other than sRGB; it was ignored
};

/// Whether a file begins like a JPEG.
bool is_jpeg(std::string_view bytes);

/// Decodes a JPEG (baseline, progressive or arithmetic, 8 bits) that `path` holds. A grey file gives 1 channel, any
/// other 3. Throws Error for a file that is truncated, damaged or not a JPEG, or claims more pixels than its bytes can
/// hold.
JpegFile decode_jpeg(const std::string& bytes, const std::string& path);

}  // namespace reverie::inline REVERIE_PRECISION
