// Built by hand, beside a release build:
// clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. tests/fuzz/safetensors_fuzz.cpp
//   core/files/safetensors.cpp build/release/libgradus_core.a -lfmt -lopenblas -o safetensors_fuzz
// ./safetensors_fuzz -max_total_time=120 NEW_FOLDER tests/core/golden

#include <cstdint>
#include <span>

#include "core/files/safetensors.h"
#include "core/tensor/error.h"

/// Any bytes either parse or are refused with an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    gradus::parse_tensors(std::as_bytes(std::span(data, size)), "fuzz");
  } catch (const gradus::Error&) {
  }
  return 0;
}
