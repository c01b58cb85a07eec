#include "examples/terminal/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examples/terminal/display_width.h"
#include "examples/terminal/language.h"

namespace gradus::terminal {
namespace {

constexpr std::string_view clear_to_end = "\x1b[K";

std::string epoch_label(const EpochProgress& progress) {
  const std::string total = std::to_string(progress.epochs);
  return said("epoch {:>{}}/{}", progress.epoch, total.size(), total);
}

std::string bar(double fraction, int columns) {
  std::string out;
  const int full = static_cast<int>(std::lround(fraction * columns));
  for (int i = 0; i < columns; ++i) out += i < full ? "█" : "░";
  return out;
}

std::string figures_of(const EpochProgress& progress) {
  return said("loss {:.3f}  {} {}/s", progress.loss, format_count(progress.items_per_second),
              phrase(progress.item));
}

}  // namespace

std::string format_duration(double seconds) {
  if (!(seconds >= 0 && seconds < 1e15)) return "–:––";
  const long long whole = std::llround(seconds), hours = whole / 3600, minutes = whole / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                   : fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string format_count(double value) {
  if (!std::isfinite(value)) return "–";
  std::string digits = fmt::format("{:.0f}", std::abs(value));
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(at, 1, ',');
  return (value < 0 && digits != "0" ? "-" : "") + digits;
}

std::string progress_line(const EpochProgress& progress, int columns) {
  const double fraction =
      std::isnan(progress.fraction) ? 0 : std::clamp(progress.fraction, 0.0, 1.0);
  const std::string start = epoch_label(progress) + " ";
  const std::string rest = said(" {:3.0f}%  {}  {} left", std::floor(100 * fraction + 1e-9),
                                figures_of(progress), format_duration(progress.seconds_left));
  const int room = columns - display_width(start) - display_width(rest);
  return fit(start + bar(fraction, std::clamp(room, 4, 24)) + rest, columns);
}

Progress::~Progress() {
  if (line_open_) write("\n");
}

void Progress::update(const EpochProgress& progress) {
  const auto now = std::chrono::steady_clock::now();
  if (!live_ || (line_open_ && now - last_write_ < std::chrono::milliseconds(100))) return;
  last_write_ = now;
  line_open_ = true;
  // The last column stays free: many terminals wrap when it is filled.
  write(fmt::format("\r{}{}", progress_line(progress, terminal_columns(out_) - 1), clear_to_end));
}

void Progress::finish(const EpochProgress& progress, std::string_view figures) {
  const std::string line = fmt::format("{}  {}{}{}", epoch_label(progress), figures_of(progress),
                                       figures.empty() ? "" : "  ", printable(figures));
  write(live_ ? fmt::format("\r{}{}\n", line, clear_to_end) : line + "\n");
  line_open_ = false;
}

void Progress::write(std::string_view text) {
  if (failed_) return;
  failed_ = std::fwrite(text.data(), 1, text.size(), out_) != text.size() || std::fflush(out_) != 0;
}

}  // namespace gradus::terminal
