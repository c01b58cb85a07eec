#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/tensor/tensor.h"

/// Several processes that run the same program on parts of the same work: one interface, what they
/// do together in terms of it, and the case of one process. optim/mpi/mpi_ranks.h has them over
/// MPI.
namespace gradus {

/// The processes, of which this one is number `rank()`.
class Ranks {
 public:
  virtual ~Ranks() = default;
  virtual int rank() const { return 0; }
  virtual int size() const { return 1; }
  /// How many of them share this machine's processor.
  virtual int on_this_machine() const { return 1; }

  /// Sends bytes to rank `with` and takes what it sends, at the same time; returns how many bytes
  /// came, at most receive.size(). In a direction whose span is empty nothing travels: both sides
  /// must see it so. One thread at a time may call this.
  virtual size_t exchange(int with, std::span<const std::byte> send, std::span<std::byte> receive);

  /// Makes exchange() throw Error from now on, also one that waits on another thread.
  virtual void cancel() {}
};

/// Copies the bytes of rank 0 to all others.
void broadcast(Ranks& ranks, std::span<std::byte> bytes);
void broadcast(Ranks& ranks, std::string& text);
/// The values of contiguous tensors, of the same shapes everywhere.
void broadcast(Ranks& ranks, const std::vector<Tensor>& tensors);

/// Adds vectors of one length over all ranks; every rank gets the sums. The order is fixed by the
/// number of ranks: exact for integers, and where all ranks but one give 0 for an element.
void sum_over_ranks(Ranks& ranks, std::span<double> values);
void sum_over_ranks(Ranks& ranks, std::span<int64_t> values);

/// The text of each rank, on every rank.
std::vector<std::string> gather(Ranks& ranks, const std::string& text);

/// Throws Error on every rank unless all have the same descriptions by name: it lists what differs
/// on which rank, "seed: 2 on rank 1, 1 on rank 0".
void check_same(Ranks& ranks, const std::map<std::string, std::string>& descriptions);

/// Throws Error on every rank unless all have the same bits in tensors of the same shapes: it names
/// the first tensor that differs and the ranks where it does. `when` says when: "after step 300".
void check_same(Ranks& ranks, const std::vector<Tensor>& tensors, const std::string& when);

}  // namespace gradus
