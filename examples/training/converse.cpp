#include "examples/training/converse.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "core/tensor/error.h"
#include "examples/terminal/output.h"
#include "examples/training/text.h"

namespace gradus::training {

bool is_interactive() { return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO); }

int converse(const std::string& program, const std::string& greeting,
             const std::function<void(const std::string& line)>& take) {
  const bool prompt = is_interactive();
  if (prompt) terminal::say("{}\n", greeting);
  int status = 0;
  std::string line;
  for (int64_t number = 1;; ++number) {
    if (prompt) terminal::say("> ");
    terminal::flush_output();
    if (!std::getline(std::cin, line)) break;
    try {
      if (!valid_utf8(line)) throw Error("invalid UTF-8");
      take(line);
    } catch (const Error& error) {
      terminal::message(fmt::format("{}: line {}: {}", program, number, error.what()));
      status = prompt ? 0 : 1;
    }
  }
  if (std::cin.bad()) throw Error("standard input: cannot be read; is it a folder?");
  return status;
}

}  // namespace gradus::training
