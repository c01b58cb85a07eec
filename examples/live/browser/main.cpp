#include <string>

#include "examples/live/engine.h"

/// What the worker calls. The answer lives until the next call.
extern "C" const char* gradus_answer(const char* request) {
  static gradus::live::Engine& engine = *new gradus::live::Engine;
  static std::string& answer = *new std::string;
  answer = engine.answer(request);
  return answer.c_str();
}
