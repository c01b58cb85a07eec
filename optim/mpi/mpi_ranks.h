#pragma once

#include <atomic>

#include "optim/ranks.h"

/// The library gradus_mpi, which is built where CMake finds MPI: a program that mpirun started in
/// several processes is one of the Ranks.
namespace gradus {

class MpiRanks : public Ranks {
 public:
  /// Initialises MPI, with MPI_THREAD_SERIALIZED. There may be one in a program.
  /// Throws Error when MPI does not allow calls from several threads.
  MpiRanks();
  /// Waits for all ranks, unless exchange() was cancelled, and ends MPI.
  ~MpiRanks() override;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int on_this_machine() const override { return on_this_machine_; }
  size_t exchange(int with, std::span<const std::byte> send, std::span<std::byte> receive) override;
  void cancel() override;

  /// Ends all ranks at once, by MPI_Abort.
  [[noreturn]] void abort(int status);

 private:
  int rank_ = 0, size_ = 1, on_this_machine_ = 1;
  std::atomic<bool> is_cancelled_ = false;
};

}  // namespace gradus
