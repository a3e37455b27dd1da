#include "data/hdf5_types.h"

#include <hdf5.h>

#include <algorithm>

namespace reverie::inline REVERIE_PRECISION {
namespace {

/// The fields of a float format: bits of the exponent (between sign and fraction), bits of the fraction, exponent bias.
struct FloatFields {
  std::size_t exponent, fraction, bias;
  friend bool operator==(const FloatFields&, const FloatFields&) = default;
};
constexpr FloatFields half{5, 10, 15}, bfloat{8, 7, 127}, single{8, 23, 127}, double_precision{11, 52, 1023};

hid_t make_float(const FloatFields& f) {
  const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  const std::size_t bits = 1 + f.exponent + f.fraction;
  H5Tset_fields(type, bits - 1, f.fraction, f.exponent, 0, f.fraction);
  H5Tset_size(type, bits / 8);
  H5Tset_ebias(type, f.bias);
  return type;
}

hid_t make_bool() {
  const hid_t type = H5Tenum_create(H5T_STD_I8LE);
  std::int8_t value = 0;
  H5Tenum_insert(type, "FALSE", &value);
  value = 1;
  H5Tenum_insert(type, "TRUE", &value);
  return type;
}

std::optional<Dtype> float_of(hid_t type) {
  std::size_t sign = 0, exponent_at = 0, exponent = 0, fraction_at = 0, fraction = 0;
  H5Tget_fields(type, &sign, &exponent_at, &exponent, &fraction_at, &fraction);
  const FloatFields fields{exponent, fraction, H5Tget_ebias(type)};
  const bool plain = sign == exponent + fraction && exponent_at == fraction && fraction_at == 0 &&
                     8 * H5Tget_size(type) == sign + 1 && H5Tget_norm(type) == H5T_NORM_IMPLIED;
  if (!plain) return std::nullopt;
  if (fields == half) return Dtype::float16;
  if (fields == bfloat) return Dtype::bfloat16;
  if (fields == single) return Dtype::float32;
  if (fields == double_precision) return Dtype::float64;
  return std::nullopt;
}

std::optional<Dtype> integer_of(hid_t type) {
  const bool is_signed = H5Tget_sign(type) != H5T_SGN_NONE;
  if (H5Tget_precision(type) != 8 * H5Tget_size(type)) return std::nullopt;
  switch (H5Tget_size(type)) {
    case 1:
      return is_signed ? Dtype::int8 : Dtype::uint8;
    case 2:
      return is_signed ? Dtype::int16 : Dtype::uint16;
    case 4:
      return is_signed ? Dtype::int32 : Dtype::uint32;
    case 8:
      return is_signed ? Dtype::int64 : Dtype::uint64;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::int64_t make_hdf5_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::boolean:
      return make_bool();
    case Dtype::uint8:
      return H5Tcopy(H5T_STD_U8LE);
    case Dtype::int8:
      return H5Tcopy(H5T_STD_I8LE);
    case Dtype::uint16:
      return H5Tcopy(H5T_STD_U16LE);
    case Dtype::int16:
      return H5Tcopy(H5T_STD_I16LE);
    case Dtype::uint32:
      return H5Tcopy(H5T_STD_U32LE);
    case Dtype::int32:
      return H5Tcopy(H5T_STD_I32LE);
    case Dtype::uint64:
      return H5Tcopy(H5T_STD_U64LE);
    case Dtype::int64:
      return H5Tcopy(H5T_STD_I64LE);
    case Dtype::float16:
      return make_float(half);
    case Dtype::bfloat16:
      return make_float(bfloat);
    case Dtype::float32:
      return H5Tcopy(H5T_IEEE_F32LE);
    case Dtype::float64:
      return H5Tcopy(H5T_IEEE_F64LE);
  }
  return -1;
}

std::optional<Dtype> dtype_of(std::int64_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return integer_of(type);
    case H5T_FLOAT:
      return float_of(type);
    case H5T_ENUM:
      if (const hid_t boolean = make_bool(); boolean >= 0) {
        const bool same = H5Tequal(boolean, type) > 0;
        H5Tclose(boolean);
        if (same) return Dtype::boolean;
      }
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace reverie::inline REVERIE_PRECISION
