#pragma once

#include <cstdint>
#include <string>

namespace gradus::training {

/// The largest resident size of this process so far, in MiB.
double peak_memory_mib();

/// Gives freed memory back to the system, after reading: sentences and tokens were many small
/// strings, whose memory the C library would keep and not use for tensors.
void trim_memory();

/// Refuses, in words and before memory is taken, a model that this computer cannot train with Adam.
/// `model` names the options that make it large: "a model of --hidden 1000".
void check_memory(int64_t parameters, const std::string& model);

}  // namespace gradus::training
