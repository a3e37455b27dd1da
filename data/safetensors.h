#pragma once
#include <string>

#include "data/state_dict.h"

namespace reverie::inline REVERIE_PRECISION {

/// safetensors, Hugging Face's format for weights: 8 bytes, little-endian: the header's length; the header, JSON:
/// {"NAME": {"dtype": "F32", "shape": [2,3], "data_offsets": [BEGIN, END]}, ..., "__metadata__": {"KEY": "TEXT"}};
/// the tensors' bytes, little-endian, one after another without gaps; offsets count from the header's end.
///
/// Nothing that a file says is believed unseen: throws Error, one line, for a file that is missing, truncated or too
/// long, a header that is too long (100 MB) or no such JSON, an unknown type, offsets that don't fit the shape, or
/// tensors that overlap or leave gaps.
StateDict read_safetensors(const std::string& path);

/// Writes such a file: the tensors with the largest elements first, then by name, so that each is aligned. Throws Error
/// where it can't be written.
void write_safetensors(const std::string& path, const StateDict& dict);

}  // namespace reverie::inline REVERIE_PRECISION
