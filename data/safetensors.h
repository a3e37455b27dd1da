#pragma once
#include <string>

#include "data/state_dict.h"

namespace reverie::inline REVERIE_PRECISION {

/// Reads safetensors, Hugging Face's format for weights. A file is the length of the header (8 bytes, little-endian),
/// then the header, which is JSON:
/// {"NAME": {"dtype": "F32", "shape": [2,3], "data_offsets": [BEGIN, END]}, ..., "__metadata__": {"KEY": "TEXT"}};
/// then the bytes of the tensors, little-endian, without gaps. Offsets count from the end of the header.
///
/// Checks everything: throws Error for a file that is missing, truncated or too long, a header that is over 100 MB or
/// not such JSON, an unknown dtype, offsets that don't fit the shape, and tensors that overlap or leave gaps.
StateDict read_safetensors(const std::string& path);

/// Writes a safetensors file. Tensors with larger elements come first, so that each is aligned; then sorted by name.
/// Throws Error if the file can't be written.
void write_safetensors(const std::string& path, const StateDict& dict);

}  // namespace reverie::inline REVERIE_PRECISION
