#include "core/tensor/processor.h"

#include "core/kernels/instruction_set.h"
#include "core/kernels/products.h"

namespace gradus {

std::string kernels() { return simd::name_of(simd::instruction_set()); }

bool reproducible() {
  return simd::instruction_set() != simd::InstructionSet::baseline && !products::uses_openblas();
}

void use_openblas(bool use) { products::use_openblas(use); }

}  // namespace gradus
