#include "examples/terminal/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "examples/terminal/display_width.h"

namespace gradus::terminal {

namespace {

bool is_mute = false;
int output_error = 0;  // the first errno of standard output

void remember(bool is_written) {
  if (!is_written && output_error == 0) output_error = errno != 0 ? errno : EIO;
}

}  // namespace

std::string printable_lines(std::string_view text) {
  std::string result;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    result += printable(text.substr(begin, end - begin));
    if (end < text.size()) result += '\n';
    begin = end + 1;
  }
  return result;
}

void mute(bool muted) { is_mute = muted; }

void message(std::string_view text) {
  if (is_mute) return;
  const std::string line = printable_lines(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void print(std::string_view text) {
  static const bool is_terminal = isatty(STDOUT_FILENO) != 0;
  const std::string safe = is_terminal ? printable_lines(text) : std::string(text);
  remember(std::fwrite(safe.data(), 1, safe.size(), stdout) == safe.size());
}

void flush_output() {
  remember(std::fflush(stdout) == 0 && std::ferror(stdout) == 0);
  if (output_error == 0) return;
  if (output_error == EPIPE) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  throw std::runtime_error(
      fmt::format("standard output: cannot be written ({})", std::strerror(output_error)));
}

int ended(std::string_view program, int status, std::string_view error) {
  if (!error.empty()) message(error.substr(0, error.find_last_not_of('\n') + 1));
  try {
    flush_output();
    return status;
  } catch (const std::exception& failed) {
    message(fmt::format("{}: {}", program, failed.what()));
    return status != 0 ? status : 1;
  }
}

void open_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(descriptor, F_GETFD) < 0 && errno == EBADF) {  // the lowest that is free is opened
      [[maybe_unused]] const int opened =
          ::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace gradus::terminal
