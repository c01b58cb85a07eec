#pragma once

#include <string>

namespace gradus::training {

/// From now on the first SIGINT, SIGTERM or SIGHUP asks training to save and stop. A second Ctrl-C
/// ends the program at once. Under nohup SIGHUP stays ignored.
void catch_interrupts();
bool is_interrupted();

/// Says on standard error how to continue the run.
void tell_interrupted(const std::string& model_path);

/// The status of a program that was interrupted, as a shell has it.
inline constexpr int interrupted_status = 130;

}  // namespace gradus::training
