#pragma once

#include <functional>
#include <string>

namespace gradus::training {

/// Whether somebody types and reads: standard input and output are a terminal.
bool is_interactive();

/// Calls `take` with each line of standard input; an Error that it throws is said on standard error
/// with the line's number, "answer: line 3: …", as are lines of invalid UTF-8. On a terminal it
/// says the greeting first, shows a prompt, and returns 0; else 1 if there was an error in any
/// line. Throws Error when standard input cannot be read.
int converse(const std::string& program, const std::string& greeting,
             const std::function<void(const std::string& line)>& take);

}  // namespace gradus::training
