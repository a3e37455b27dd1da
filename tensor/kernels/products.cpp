#include "tensor/kernels/products.h"

#include <atomic>

#include "tensor/error.h"
#include "tensor/kernels/conv_micro.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

static std::atomic<Factors> factors = Factors::full;

void use_factors(Factors choice) {
  if (choice == Factors::bfloat16 && sizeof(real) != 4) throw Error("bfloat16 factors: this build computes in float64");
  factors = choice;
}
bool bfloat16_factors() { return factors == Factors::bfloat16; }
bool has_bfloat16() { return conv_micro().has_bfloat16; }

}  // namespace reverie::inline REVERIE_PRECISION::kernels
