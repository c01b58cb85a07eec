#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "examples/terminal/terminal.h"

namespace gradus::terminal {

/// "0:12", "1:02:03"; "–:––" if the time is not finite or is negative.
std::string format_duration(double seconds);

/// Rounded to a whole number, with commas: "12,345"; "–" if it is not finite.
std::string format_count(double value);

struct EpochProgress {
  int epoch = 1, epochs = 1;
  double fraction = 0;  // of this epoch, 0 to 1
  double loss = 0;
  double items_per_second = 0;
  double seconds_left = 0;
  std::string_view item = "tokens";
};

/// The line that `Progress` shows while an epoch runs, cut to `columns`:
/// `epoch  3/20 ███████░░░░░  58%  loss 1.234  12,345 tokens/s  0:12 left`
std::string progress_line(const EpochProgress& progress, int columns);

/// Shows how training goes: on a terminal (`live`) a line rewritten in place, at most ten times a
/// second; elsewhere one plain line at the end of each epoch, without control codes or colours.
/// After a failed write (a full disk, or a reader that has exited while SIGPIPE is ignored) it
/// prints no more and training continues.
class Progress {
 public:
  explicit Progress(std::FILE* out) : Progress(out, is_terminal(out)) {}
  Progress(std::FILE* out, bool live) : out_(out), live_(live) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Ends an unfinished line, so that later output starts on a new line.
  ~Progress();

  void update(const EpochProgress& progress);

  /// Ends the epoch's line: epoch, loss, items per second, then `figures` (of the validation).
  void finish(const EpochProgress& progress, std::string_view figures = "");

 private:
  void write(std::string_view text);

  std::FILE* out_;
  bool live_;
  bool line_open_ = false;
  bool failed_ = false;
  std::chrono::steady_clock::time_point last_write_;
};

}  // namespace gradus::terminal
