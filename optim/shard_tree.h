#pragma once

#include <cstdint>
#include <vector>

namespace gradus {

/// In which order the sums of numbered shards are added: along a binary tree over their numbers,
/// ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)), whatever the number of ranks, each of which has a
/// contiguous block of shards. A right half that is missing is skipped: of five,
/// ((0 + 1) + (2 + 3)) + 4.
///
/// A rank pushes what its shards give onto a stack and merges the youngest two as often as `merges`
/// says. Then the steps add the sums of other ranks. Where the ranks are a power of two and divide
/// the shards this is distance doubling: rank r exchanges its sum with those of r ^ 1, r ^ 2,
/// r ^ 4, … In the end every rank has the sum of all at the bottom of the stack.
struct ShardTree {
  /// Throws Error unless 0 < ranks ≤ shards and 0 ≤ rank < ranks.
  ShardTree(int64_t shards, int ranks, int rank);

  struct Step {
    enum Kind { exchange, add_received, add } kind;
    int with = -1;           ///< exchange: the other rank,
    int send = -1;           ///< the place on the stack that is sent to it, −1: nothing,
    bool receives = false;   ///< and whether it sends something
    int from = -1, to = -1;  ///< add: stack[to] += stack[from]; add_received: stack[to] += that
  };

  int64_t begin, end;       ///< this rank's shards
  std::vector<int> merges;  ///< after each of them
  std::vector<Step> steps;  ///< in one order for all ranks, so that nobody waits for ever
};

}  // namespace gradus
