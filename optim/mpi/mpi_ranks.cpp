#include "optim/mpi/mpi_ranks.h"

#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "core/tensor/error.h"

namespace gradus {

namespace {

constexpr int tag = 1;
constexpr size_t at_once = size_t{1} << 30;  // MPI counts in int

/// Where nothing is done for a while it sleeps, longer and longer, and leaves the processor to the
/// threads that compute: a blocking call of Open MPI keeps a core busy, which costs more than it
/// waits for.
template <class Test>
void wait_until(const Test& is_done) {
  constexpr std::chrono::microseconds at_first(20), at_most(200);
  const auto start = std::chrono::steady_clock::now();
  auto pause = at_first;
  while (!is_done()) {
    if (std::chrono::steady_clock::now() - start < at_first) continue;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, at_most);
  }
}

/// Of a message in parts: MPI_Isend or MPI_Irecv each.
void for_each_part(size_t size, auto&& f) {
  for (size_t begin = 0; begin < size; begin += at_once)
    f(begin, static_cast<int>(std::min(at_once, size - begin)));
}

}  // namespace

MpiRanks::MpiRanks() {
  int given = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &given);
  if (given < MPI_THREAD_SERIALIZED)
    throw Error(
        "MPI: this library allows calls from one thread only; expected MPI_THREAD_SERIALIZED");
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  MPI_Comm here = MPI_COMM_NULL;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
  MPI_Comm_size(here, &on_this_machine_);
  MPI_Comm_free(&here);
}

MpiRanks::~MpiRanks() {
  if (is_cancelled_) return;
  MPI_Request all_are_here = MPI_REQUEST_NULL;
  MPI_Ibarrier(MPI_COMM_WORLD, &all_are_here);
  wait_until([&] {
    int is_done = 0;
    MPI_Test(&all_are_here, &is_done, MPI_STATUS_IGNORE);
    return is_done != 0;
  });
  MPI_Finalize();
}

size_t MpiRanks::exchange(int with, std::span<const std::byte> send, std::span<std::byte> receive) {
  std::vector<MPI_Request> requests;
  for_each_part(receive.size(), [&](size_t begin, int size) {
    MPI_Irecv(receive.data() + begin, size, MPI_BYTE, with, tag, MPI_COMM_WORLD,
              &requests.emplace_back());
  });
  for_each_part(send.size(), [&](size_t begin, int size) {
    MPI_Isend(send.data() + begin, size, MPI_BYTE, with, tag, MPI_COMM_WORLD,
              &requests.emplace_back());
  });
  std::vector<MPI_Status> statuses(requests.size());
  wait_until([&] {
    if (is_cancelled_) throw Error("MPI: the exchange was cancelled");
    int is_done = 0;
    MPI_Testall(static_cast<int>(requests.size()), requests.data(), &is_done, statuses.data());
    return is_done != 0;
  });
  size_t received = 0;
  for_each_part(receive.size(), [&](size_t begin, int) {
    int count = 0;
    MPI_Get_count(&statuses[begin / at_once], MPI_BYTE, &count);
    received += static_cast<size_t>(count);
  });
  return received;
}

void MpiRanks::cancel() { is_cancelled_ = true; }

void MpiRanks::abort(int status) {
  MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

}  // namespace gradus
