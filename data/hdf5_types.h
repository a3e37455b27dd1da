#pragma once
#include <cstdint>
#include <optional>

#include "data/state_dict.h"

namespace reverie::inline REVERIE_PRECISION {

/// HDF5's type for a format of numbers: its own types for integers and floats; for bool, h5py's enumeration; for
/// bfloat16, a float of these fields, which h5py reads as float32. An identifier that the caller closes (H5Tclose).
std::int64_t make_hdf5_type(Dtype dtype);
/// The format that an HDF5 type (its identifier) is, in either byte order; none for texts, 80-bit floats and the like.
std::optional<Dtype> dtype_of(std::int64_t hdf5_type);

}  // namespace reverie::inline REVERIE_PRECISION
