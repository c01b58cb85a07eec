#include "core/tensor/processor.h"

#include "core/kernels/instruction_set.h"
#include "core/kernels/products.h"
#include "core/tensor/error.h"

namespace gradus {

std::string kernels() { return simd::name_of(simd::instruction_set()); }

bool reproducible() {
  return simd::instruction_set() != simd::InstructionSet::baseline && !products::uses_openblas();
}

void use_openblas(bool use) {
  if (use && !products::has_openblas())
    throw Error("use_openblas: OpenBLAS is not installed (Debian's package is libopenblas0)");
  products::use_openblas(use);
}

}  // namespace gradus
