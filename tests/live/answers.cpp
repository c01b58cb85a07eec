#include <iostream>
#include <string>

#include "examples/live/engine.h"

/// The engine of the live page, on the processor: answers each line of the input.
int main() {
  gradus::live::Engine engine;
  for (std::string request; std::getline(std::cin, request);)
    std::cout << engine.answer(request) << std::endl;
}
