#include "core/tensor/processor.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "core/kernels/instruction_set.h"
#include "core/kernels/products.h"
#include "core/ops/matmul.h"
#include "core/tensor/tensor.h"

using namespace gradus;

TEST_CASE("kernels are the best that the processor has, or those named, or an error says which") {
  using simd::InstructionSet, simd::chosen;
  for (const char* none : {static_cast<const char*>(nullptr), ""}) {
    CHECK(chosen(none, InstructionSet::avx512) == InstructionSet::avx512);
    CHECK(chosen(none, InstructionSet::baseline) == InstructionSet::baseline);
  }
  CHECK(chosen("avx2", InstructionSet::avx512) == InstructionSet::avx2);
  CHECK(chosen("baseline", InstructionSet::avx2) == InstructionSet::baseline);
  CHECK_THROWS_WITH(
      chosen("avx512", InstructionSet::avx2),
      "GRADUS_KERNELS: expected avx2 or baseline, which this processor has, got 'avx512'");
  CHECK_THROWS_WITH(
      chosen("sse", InstructionSet::avx512),
      "GRADUS_KERNELS: expected avx512, avx2 or baseline, which this processor has, got 'sse'");
  CHECK(kernels() == simd::name_of(simd::instruction_set()));
}

TEST_CASE("results are reproducible with own products by AVX2 or AVX-512") {
  const bool before = products::uses_openblas();
  use_openblas(true);
  CHECK_FALSE(reproducible());
  use_openblas(false);
  CHECK(reproducible() == (kernels() != "baseline"));
  use_openblas(before);
}

TEST_CASE("OpenBLAS is loaded when it is first used, not before") {
  const auto is_loaded = [] {
    std::ifstream maps("/proc/self/maps");
    const std::string text(std::istreambuf_iterator<char>(maps), {});
    return text.find("libopenblas") != std::string::npos;
  };
  if (products::uses_openblas() || is_loaded()) {
    MESSAGE("skipped: OpenBLAS was asked for before this test");
    return;
  }
  const Tensor x = ones({200, 200});
  CHECK(matmul(x, x).to_vector<float>()[0] == 200);
  CHECK_FALSE(is_loaded());
  use_openblas(true);
  CHECK(matmul(x, x).to_vector<float>()[0] == 200);
  CHECK(is_loaded());
  use_openblas(false);
}
