#include <cstdint>
#include <span>

#include "core/files/safetensors.h"
#include "core/tensor/error.h"

/// Any bytes either parse or are refused with an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const bool skip : {false, true}) try {
      gradus::parse_tensors(std::as_bytes(std::span(data, size)), "fuzz",
                            {.skip_unreadable = skip});
    } catch (const gradus::Error&) {
    }
  return 0;
}
