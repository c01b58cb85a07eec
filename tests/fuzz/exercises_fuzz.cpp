#include <cstdint>
#include <string_view>

#include "core/tensor/error.h"
#include "examples/live/exercises.h"

using namespace gradus;

/// A teacher's file is read, and its answers are marked as right, or it is refused.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    for (const auto& exercise : live::read_exercises({reinterpret_cast<const char*>(data), size})) {
      live::mark(exercise, "g");
      if (!live::mark(exercise, exercise.answer).is_right) __builtin_trap();
    }
  } catch (const Error&) {
  }
  return 0;
}
