#pragma once
#include <cstddef>
#include <cstdint>

/// The library is compiled twice, for `real` = float (training) and, with -DREVERIE_DOUBLE, for `real` = double
/// (gradient checks, reference cases). Everything stands in an inline namespace named after the precision, so code of
/// the one can't link against the other by mistake, and a program that needs both can name both.
#ifdef REVERIE_DOUBLE
#define REVERIE_PRECISION float64
#else
#define REVERIE_PRECISION float32
#endif

namespace reverie::inline REVERIE_PRECISION {

#ifdef REVERIE_DOUBLE
using real = double;
inline constexpr const char* real_name = "float64";
#else
using real = float;
inline constexpr const char* real_name = "float32";
#endif

/// Extents, counts and positions. Signed, so that differences may be negative.
using Index = std::int64_t;

}  // namespace reverie::inline REVERIE_PRECISION
