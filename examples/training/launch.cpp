#include "examples/training/launch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "core/tensor/error.h"
#include "core/tensor/threads.h"
#include "examples/terminal/output.h"
#ifdef GRADUS_MPI
#include "optim/mpi/mpi_ranks.h"
#endif

namespace gradus::training {

namespace {

/// Of Open MPI, of MPICH's Hydra, of PMIx: whether one of them has started this process.
bool is_launched() {
  return std::getenv("OMPI_COMM_WORLD_SIZE") || std::getenv("PMI_SIZE") || std::getenv("PMIX_RANK");
}

}  // namespace

Launch::Launch() {
  if (!is_launched()) return;
#ifdef GRADUS_MPI
  ranks_ = std::make_unique<MpiRanks>();
  with_ = std::make_unique<WithRanks>(*ranks_);
  set_threads(std::max(1, threads() / ranks_->on_this_machine()));
  if (is_first_rank()) return;
  terminal::mute();
  if (!std::freopen("/dev/null", "w", stdout)) throw Error("/dev/null: cannot be opened");
#else
  throw Error(
      "mpirun has started this program, but it was built without MPI; install it (on Debian: "
      "libopenmpi-dev and openmpi-bin), configure and build again");
#endif
}

Launch::~Launch() = default;

std::string Launch::name(const std::string& program) const {
  if (world().size() == 1) return program;
  return fmt::format("{}: rank {} of {}", program, world().rank(), world().size());
}

void Launch::before_failure() {
  if (world().rank() > 0) std::this_thread::sleep_for(std::chrono::seconds(2));
  terminal::mute(false);
}

void Launch::fail([[maybe_unused]] int status) {
#ifdef GRADUS_MPI
  if (world().size() == 1) return;
  std::fflush(nullptr);
  static_cast<MpiRanks&>(*ranks_).abort(status);
#endif
}

}  // namespace gradus::training
