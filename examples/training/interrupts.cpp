#include "examples/training/interrupts.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "examples/terminal/output.h"

namespace gradus::training {

namespace {

volatile std::sig_atomic_t interrupts = 0;

/// Signals other than Ctrl-C may come in pairs: a terminal that is closed sends SIGHUP, and so does
/// its shell.
void on_interrupt(int signal) {
  if (interrupts > 0 && signal == SIGINT) _exit(interrupted_status);
  interrupts = interrupts + 1;
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  if (std::signal(SIGHUP, on_interrupt) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);  // nohup
}

bool is_interrupted() { return interrupts > 0; }

void tell_interrupted(const std::string& model_path) {
  terminal::message(fmt::format(
      "stopped; the state is in {}.checkpoint: the same command with --resume continues",
      model_path));
}

}  // namespace gradus::training
