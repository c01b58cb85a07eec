#pragma once

#include <iosfwd>
#include <string>

#include "examples/step/session.h"

namespace gradus::step {

/// The screen behind standard output: its width, and colours where it is a terminal that has them
/// and NO_COLOR is not set (no-color.org).
Screen screen_of_terminal();

/// Reads commands until `quit` or the end of the input and prints what they answer: with editing,
/// history and completion where standard input is a terminal, else as replay() does.
/// Returns the exit status.
int converse(Session& session);

/// Carries out a script, showing each command before its answer. Empty lines and lines that begin
/// with # are skipped. Returns the exit status: 1 if a command failed; the others are carried out.
int replay(Session& session, std::istream& script, std::ostream& output);
/// The same from a file, which may be a transcript too: where lines begin with the prompt,
/// "(step) ", they are the commands. Throws Error when it cannot be read.
int replay(Session& session, const std::string& path, std::ostream& output);

}  // namespace gradus::step
