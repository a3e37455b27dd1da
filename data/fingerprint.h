#pragma once
#include <string>

#include "data/dataset.h"

namespace reverie::inline REVERIE_PRECISION {

/// Describes the content of a dataset, to recognise it wherever its file lies: "10000 samples of shape [28,28,1] in 10
/// classes, CRC-32 8f1c03d2". The checksum covers the samples (of more than a million, that many, evenly spread), the
/// names of their classes.
std::string fingerprint(const Dataset& data);

}  // namespace reverie::inline REVERIE_PRECISION
