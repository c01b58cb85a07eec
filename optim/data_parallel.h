#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/tensor/tensor.h"
#include "optim/background.h"
#include "optim/ranks.h"
#include "optim/shard_tree.h"

namespace gradus {

/// The loss of a shard, summed over its items, and the number of these; none for an empty shard.
struct ShardLoss {
  Tensor sum;
  int64_t items = 0;
};

struct DataParallelOptions {
  int64_t shards = 1;
  int64_t check_every = 100;       ///< steps between two comparisons of all ranks' parameters
  int64_t bucket_bytes = 2 << 20;  ///< what is sent at once, about
  bool overlap = true;             ///< send gradients while others are still being computed
};

/// Gradients of a batch that is cut into shards, on any number of ranks, with the same bits:
///
///     Adam adam(parameters(model));
///     DataParallel parallel(parameters(model), ranks, {.shards = 8});
///     for (const Batch& batch : batches) {
///       parallel.step([&](int64_t shard) {
///         const Batch part = …;  // the same for any number of ranks, and so are random numbers
///         return ShardLoss{loss(model, part), items_of(part)};
///       });
///       adam.step();
///     }
///
/// A parameter's gradient is that of (Σ sums) / (Σ items) over all shards, each differentiated
/// alone and added along the ShardTree. With one rank this is gradient accumulation.
///
/// Each rank computes a block of shards. While it differentiates the last one, a thread sends the
/// gradients that are complete, in buckets, in the order in which they were complete in the first
/// step; rows of zeros, those of an embedding whose ids did not occur, are not sent.
class DataParallel {
 public:
  /// Copies the values of the parameters from rank 0. Throws Error for fewer shards than ranks.
  DataParallel(std::vector<Tensor> parameters, Ranks& ranks,
               const DataParallelOptions& options = {});
  ~DataParallel();
  DataParallel(const DataParallel&) = delete;
  DataParallel& operator=(const DataParallel&) = delete;

  struct Total {
    double loss = 0;  ///< Σ sums
    int64_t items = 0;
    bool stop = false;  ///< some rank's `stop`
  };
  /// Calls loss(shard) for this rank's shards; leaves the gradients in grad(), on every rank the
  /// same. A parameter that no shard reached has none. Throws Error when all shards are empty, and
  /// what `loss` throws; exchange() is then cancelled: the run is to end.
  Total step(const std::function<ShardLoss(int64_t shard)>& loss, bool stop = false);

  /// Throws Error on every rank when parameters differ between ranks; see check_same().
  void check(const std::string& when) const;

 private:
  /// Rows of a parameter: its first axis, or all of a vector.
  struct Piece {
    size_t parameter;
    int64_t begin, end, length;
  };
  struct Bucket {
    std::vector<Piece> pieces;
    int64_t rows = 0, bytes = 0;
    int64_t missing = 0;  ///< pieces that are not complete yet
  };

  Total summed(const std::function<ShardLoss(int64_t)>& loss, bool stop);
  void make_buckets();
  void differentiate(const Tensor& sum, bool is_last);
  void push(size_t parameter, Tensor gradient, bool is_own);
  void complete(size_t parameter, const Tensor& gradient);
  void send(const Bucket& bucket);
  std::span<const std::byte> pack(const Bucket& bucket, int place);
  void add_received(const Bucket& bucket, int place);
  void add(const Bucket& bucket, int from, int to);
  void set_gradients(int64_t items);

  std::vector<Tensor> parameters_;
  Ranks& ranks_;
  DataParallelOptions options_;
  ShardTree tree_;
  int64_t steps_ = 0;
  std::vector<std::vector<Tensor>> stack_;  ///< of sums: of each place, each parameter's
  size_t depth_ = 0;
  int merges_ = 0;                ///< after the shard that is being differentiated
  std::vector<char> is_present_;  ///< of each parameter, whether some shard reached it
  std::vector<int64_t> order_;    ///< in which gradients are complete
  std::vector<char> is_complete_;
  bool is_sending_ = false;  ///< what is complete goes to the background
  std::vector<Bucket> buckets_;
  size_t sent_ = 0;
  std::vector<std::byte> outgoing_, incoming_;
  std::shared_ptr<DataParallel*> alive_;  ///< hooks stay on the parameters
  std::unique_ptr<Background> background_;
};

}  // namespace gradus
