#pragma once

namespace gradus {

/// What NoGrad, EnableGrad and NoFusion switch on the thread that they live on. parallel_for gives
/// its caller's switches to the threads that run its body.
struct Switches {
  bool recording = true;  ///< whether ops are kept for a backward pass
  bool fused = true;      ///< whether an op may be one pass in place of its composition
};

inline constinit thread_local Switches switches = {};

}  // namespace gradus
