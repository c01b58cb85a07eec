#include "optim/shard_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/tensor/error.h"

namespace gradus {

namespace {

/// The shards [number · 2^level, (number + 1) · 2^level).
struct Subtree {
  int level;
  int64_t number;
  bool operator==(const Subtree&) const = default;

  int64_t first_shard() const { return number << level; }
  Subtree parent() const { return {level + 1, number / 2}; }
};

/// Which ranks have shards of a subtree.
struct Range {
  int begin, end;
};

class Planner {
 public:
  Planner(ShardTree& plan, int64_t shards, int ranks, int rank)
      : plan_(plan), shards_(shards), ranks_(ranks), rank_(rank) {
    while ((int64_t{1} << depth_) < shards) ++depth_;
  }

  void push_and_merge() {
    for (int64_t shard = plan_.begin; shard < plan_.end; ++shard) {
      int merges = 0;
      Subtree last = grown({0, shard});
      while (!stack_.empty() && last.number % 2 == 1 &&
             stack_.back() == Subtree{last.level, last.number - 1}) {
        stack_.pop_back();
        last = grown(last.parent());
        ++merges;
      }
      stack_.push_back(last);
      plan_.merges.push_back(merges);
    }
  }

  void add_over_ranks() {
    for (int level = 0; level < depth_; ++level)
      for (int64_t number = 0; (number << level) < shards_; number += 2) {
        const Subtree left{level, number}, right{level, number + 1};
        if (exists(right)) join(left, right);
        for (Subtree& mine : stack_)
          if (mine == left || mine == right) mine = left.parent();
      }
  }

 private:
  bool exists(const Subtree& tree) const { return tree.first_shard() < shards_; }

  /// As large as it gets without a right half.
  Subtree grown(Subtree tree) const {
    while (tree.level < depth_ && tree.number % 2 == 0 && !exists({tree.level, tree.number + 1}))
      tree = tree.parent();
    return tree;
  }

  int rank_of(int64_t shard) const { return static_cast<int>(shard * ranks_ / shards_); }
  Range ranks_of(const Subtree& tree) const {
    const int64_t end = std::min(shards_, (tree.number + 1) << tree.level);
    return {rank_of(tree.first_shard()), rank_of(end - 1) + 1};
  }

  int place_of(const Subtree& tree) const {
    const auto found = std::ranges::find(stack_, tree);
    return found == stack_.end() ? -1 : static_cast<int>(found - stack_.begin());
  }

  void join(const Subtree& left, const Subtree& right) {
    const Range l = ranks_of(left), r = ranks_of(right);
    if (l.begin == r.begin && l.end == r.end) return;  // one rank, which has merged them
    const bool is_shared = l.end > r.begin;            // by a rank that has shards of both
    const int only_left = l.end - l.begin - is_shared, only_right = r.end - r.begin - is_shared;
    const int mine_left = place_of(left), mine_right = place_of(right);
    bool received = false;
    // Each rank that lacks a half gets it from one that has it; as far as possible in pairs.
    for (int i = 0; i < std::max(only_left, only_right); ++i) {
      const int a = i < only_left    ? l.begin + i
                    : only_left == 0 ? r.begin
                                     : l.begin + i % only_left;
      const int b = i < only_right    ? r.begin + is_shared + i
                    : only_right == 0 ? l.end - 1
                                      : r.begin + is_shared + i % only_right;
      const bool a_lacks = i < only_left, b_lacks = i < only_right;
      if (rank_ != a && rank_ != b) continue;
      const bool is_a = rank_ == a, lacks = is_a ? a_lacks : b_lacks;
      const bool gives = is_a ? b_lacks : a_lacks;
      plan_.steps.push_back({.kind = ShardTree::Step::exchange,
                             .with = is_a ? b : a,
                             .send = gives ? (is_a ? mine_left : mine_right) : -1,
                             .receives = lacks});
      received = received || lacks;
    }
    if (received)
      plan_.steps.push_back(
          {.kind = ShardTree::Step::add_received, .to = mine_left >= 0 ? mine_left : mine_right});
    if (mine_left < 0 || mine_right < 0) return;
    plan_.steps.push_back({.kind = ShardTree::Step::add, .from = mine_right, .to = mine_left});
    stack_[static_cast<size_t>(mine_right)] = {-1, -1};  // added
  }

  ShardTree& plan_;
  int64_t shards_;
  int ranks_, rank_, depth_ = 0;
  std::vector<Subtree> stack_;
};

}  // namespace

ShardTree::ShardTree(int64_t shards, int ranks, int rank) {
  if (ranks < 1 || ranks > shards)
    throw Error(fmt::format("shards: expected at least one shard for each of {} ranks, got {}",
                            ranks, shards));
  if (rank < 0 || rank >= ranks)
    throw Error(fmt::format("shards: expected a rank from 0 to {}, got {}", ranks - 1, rank));
  begin = (rank * shards + ranks - 1) / ranks;  // from rank · shards / ranks on
  end = ((rank + 1) * shards + ranks - 1) / ranks;
  Planner planner(*this, shards, ranks, rank);
  planner.push_and_merge();
  planner.add_over_ranks();
}

}  // namespace gradus
