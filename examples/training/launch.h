#pragma once

#include <memory>
#include <string>

#include "examples/training/world.h"

namespace gradus::training {

/// A program's part in a run that mpirun has started, if it has. While it lives, world() are the
/// run's ranks; only the first one speaks, and each has its share of the machine's cores.
class Launch {
 public:
  /// Throws Error when several processes were started and this build has no MPI.
  Launch();
  ~Launch();

  /// What an error is called: the program, and where there are several, the rank.
  std::string name(const std::string& program) const;
  /// Ends all ranks at once, after an error message was written. Does nothing on a single rank.
  void fail(int status);
  /// Before a failure is said: lets the first rank speak, which most often fails in the same way.
  void before_failure();

 private:
  std::unique_ptr<Ranks> ranks_;
  std::unique_ptr<WithRanks> with_;
};

}  // namespace gradus::training
