#pragma once
#include <cstdint>
#include <optional>

#include "data/state_dict.h"

namespace reverie::inline REVERIE_PRECISION {

/// Creates the HDF5 type of a dtype: HDF5's own types for integers and floats, h5py's enumeration for bool, and for
/// bfloat16 a custom float type, which h5py reads as float32. The caller closes it (H5Tclose).
std::int64_t make_hdf5_type(Dtype dtype);
/// The dtype of an HDF5 type in either byte order; none for strings, 80-bit floats and the like.
std::optional<Dtype> dtype_of(std::int64_t hdf5_type);

}  // namespace reverie::inline REVERIE_PRECISION
