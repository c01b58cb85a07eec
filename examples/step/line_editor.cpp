#include "examples/step/line_editor.h"

#include <editline/readline.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "core/tensor/error.h"
#include "examples/step/language.h"
#include "examples/terminal/display_width.h"
#include "examples/terminal/output.h"
#include "examples/terminal/terminal.h"

namespace gradus::step {

namespace {

constexpr std::string_view prompt = "(step) ";

volatile std::sig_atomic_t is_running = false, is_interrupted = false;

/// While it lives, Ctrl-C asks a running command to end with what it has, and at the prompt throws
/// the line away. The second one while a command runs ends the program.
class Interruptible {
 public:
  Interruptible() {
    struct sigaction action {};
    action.sa_handler = [](int) {
      if (is_running && is_interrupted) _exit(128 + SIGINT);
      is_interrupted = true;
    };
    sigaction(SIGINT, &action, &before_);
  }
  ~Interruptible() { sigaction(SIGINT, &before_, nullptr); }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  struct sigaction before_ {};
};

/// A line on the terminal that tells how far a command is, once it takes long; it is gone when the
/// command ends.
class ProgressLine {
 public:
  ~ProgressLine() {
    if (is_shown_) std::fputs("\r\x1b[K", stderr);
  }
  void show(std::string_view doing, int done, int of) {
    const auto now = std::chrono::steady_clock::now();
    if (!terminal::is_terminal(stderr) || now < next_) return;
    next_ = now + std::chrono::milliseconds(100);
    is_shown_ = true;
    fmt::print(stderr, "\r\x1b[K{}", said("{}: {} of {}; Ctrl-C stops", doing, done, of));
    std::fflush(stderr);
  }

 private:
  bool is_shown_ = false;
  std::chrono::steady_clock::time_point next_ =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
};

/// What the line answers, with its progress shown meanwhile.
std::string watched(Session& session, const std::string& line) {
  ProgressLine progress;
  session.on_progress([&](std::string_view doing, int done, int of) {
    progress.show(doing, done, of);
    return !is_interrupted;
  });
  is_interrupted = false;
  is_running = true;
  const auto end = [&](std::string text) {
    is_running = false;
    session.on_progress({});
    return text;
  };
  try {
    return end(session.run(line));
  } catch (...) {
    end("");
    throw;
  }
}

/// Whether the line could be carried out.
bool answer(Session& session, const std::string& line, std::ostream& output) {
  bool is_good = true;
  std::string text;
  try {
    text = watched(session, line);
  } catch (const std::exception& error) {
    text = said("error: {}\n", terminal::printable_lines(error.what()));
    is_good = false;
  }
  output << text << std::flush;
  return is_good;
}

const Session* completing = nullptr;  // libedit's callbacks know nothing else

/// Every candidate in turn, each allocated as libedit wants it.
char* next_completion(const char*, int state) {
  static std::vector<std::string> candidates;
  if (state == 0)
    candidates =
        completing->completions({rl_line_buffer, static_cast<size_t>(std::max(rl_point, 0))});
  const auto i = static_cast<size_t>(state);
  return i < candidates.size() ? strdup(candidates[i].c_str()) : nullptr;
}

char** complete(const char* word, int, int) {
  const std::string_view line(rl_line_buffer, static_cast<size_t>(std::max(rl_point, 0)));
  rl_attempted_completion_over = 1;
  return rl_completion_matches(
      word, completing->completes_file(line) ? rl_filename_completion_function : next_completion);
}

int read_terminal(Session& session) {
  std::setlocale(LC_CTYPE, "");
  completing = &session;
  rl_readline_name = "gradus";
  rl_attempted_completion_function = complete;
  static char breaks[] = " \t";
  rl_completer_word_break_characters = breaks;
  using_history();
  const Interruptible interruptible;
  while (!session.has_ended() && std::cout) {
    is_interrupted = false;
    char* line = readline(prompt.data());
    if (!line && is_interrupted) {
      std::cout << "\n";
      continue;
    }
    if (!line) {
      std::cout << "\n";
      break;
    }
    if (*line != '\0') add_history(line);
    answer(session, line, std::cout);
    std::free(line);
  }
  return 0;
}

}  // namespace

Screen screen_of_terminal() {
  const char* no_colour = std::getenv("NO_COLOR");
  const bool is_terminal = terminal::is_terminal(stdout);
  return {is_terminal ? std::clamp(terminal::terminal_columns(stdout), 40, 120) : 80,
          is_terminal && (no_colour == nullptr || *no_colour == '\0')};
}

int converse(Session& session) {
  return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? read_terminal(session)
                                                       : replay(session, std::cin, std::cout);
}

int replay(Session& session, std::istream& script, std::ostream& output) {
  int status = 0;
  for (std::string line; !session.has_ended() && output && std::getline(script, line);) {
    const std::vector<std::string> words = words_of(line);
    if (words.empty() || words[0].starts_with("#")) continue;
    output << prompt << terminal::printable(line) << "\n";
    if (!answer(session, line, output)) status = 1;
  }
  return status;
}

int replay(Session& session, const std::string& path, std::ostream& output) {
  std::ifstream file(path);
  std::stringstream script, commands;
  script << file.rdbuf();
  if (!file) throw Error(said("{}: cannot be read; check the path", path));
  for (std::string line; std::getline(script, line);)
    if (line.starts_with(prompt)) commands << line.substr(prompt.size()) << "\n";
  script.clear();
  script.seekg(0);
  return replay(session, commands.view().empty() ? script : commands, output);
}

}  // namespace gradus::step
