#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

/// What a program says: on standard error, which may be closed or full, and on standard output,
/// which may be a terminal.
namespace gradus::terminal {

/// `printable` of each line: line ends stay.
std::string printable_lines(std::string_view text);

/// `printable_lines(text)` and a line end on standard error. Never throws: a message that cannot be
/// written is not missed by the program.
void message(std::string_view text);

/// From now on message() says nothing: another process says the same.
void mute(bool muted = true);

/// `text` on standard output, without what could control a terminal if that is one. Never throws;
/// flush_output() tells whether everything was written.
void print(std::string_view text);
/// The same of a text with values in it.
template <class... T>
void say(fmt::format_string<T...> text, T&&... values) {
  print(fmt::format(text, std::forward<T>(values)...));
}

/// Throws std::runtime_error when not all of standard output could be written. Where its reader has
/// ended (`… | head`), the program ends as if by SIGPIPE.
void flush_output();

/// For the end of a program: prints the error, if there is one, and gives the exit status, which is
/// not 0 when standard output could not be written; then it says so, in the program's name.
int ended(std::string_view program, int status, std::string_view error = "");

/// For the beginning of a program. Descriptors 0, 1 and 2 that are closed fail from now on, instead
/// of being those of the next files that are opened; writing to a pipe that nobody reads is an
/// error, not the end.
void open_standard_streams();

}  // namespace gradus::terminal
