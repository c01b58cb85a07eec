#include "optim/data_parallel.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <set>

#include "core/core.h"
#include "layers/layers.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "tests/files.h"
#include "tests/optim/thread_ranks.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

/// Each shard is drawn as the text of its number.
std::string sum_text(int64_t shards, int ranks, int rank,
                     std::vector<std::vector<std::string>>& all, Ranks& of) {
  const ShardTree tree(shards, ranks, rank);
  std::vector<std::string> stack;
  for (int64_t shard = tree.begin; shard < tree.end; ++shard) {
    stack.push_back(std::to_string(shard));
    for (int i = 0; i < tree.merges[static_cast<size_t>(shard - tree.begin)]; ++i) {
      const std::string right = stack.back();
      stack.pop_back();
      stack.back() = "(" + stack.back() + "+" + right + ")";
    }
  }
  const auto join = [](const std::string& a, const std::string& b) {
    const auto first = [](const std::string& text) {
      return std::stoi(text.substr(text.find_first_not_of('(')));
    };
    return first(a) < first(b) ? "(" + a + "+" + b + ")" : "(" + b + "+" + a + ")";
  };
  std::string received;
  for (const ShardTree::Step& step : tree.steps) {
    if (step.kind == ShardTree::Step::exchange) {
      std::string out = step.send >= 0 ? stack[static_cast<size_t>(step.send)] : "";
      std::string in(step.receives ? 4096 : 0, ' ');
      in.resize(of.exchange(step.with, std::as_bytes(std::span(out)),
                            std::as_writable_bytes(std::span(in))));
      if (step.receives) received = in;
    } else {
      std::string& to = stack[static_cast<size_t>(step.to)];
      to = join(
          to, step.kind == ShardTree::Step::add ? stack[static_cast<size_t>(step.from)] : received);
    }
  }
  all[static_cast<size_t>(rank)].push_back(stack.at(0));
  return stack.at(0);
}

struct Speller {  // embeds, applies an LSTM, guesses the next id
  Embedding embedding;
  LSTM lstm;
  Dense output;
  Tensor unreached;
  void parameters(auto&& visit) {
    visit("embedding", embedding), visit("lstm", lstm), visit("output", output);
    visit("unreached", unreached);
  }
};

Speller speller(uint64_t seed = 1) {
  Generator g(seed);
  Speller model{Embedding(300, 6, g), LSTM(6, 5, g), Dense(5, 300, g), zeros({2})};
  model.unreached.require_grad();
  return model;
}

/// Of rows of a batch; shard 2 is empty.
ShardLoss loss_of(Speller& model, int64_t step, int64_t shard) {
  if (shard == 2) return {};
  Generator g(static_cast<uint64_t>(1000 * step + shard));
  const int64_t rows = 1 + shard % 3;
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < 5 * rows; ++i) ids.push_back(g.below(300));
  const Tensor all = tensor(ids, {rows, 5});
  const Tensor x = dropout(model.embedding(slice(all, 1, 0, 4)), 0.2, &g);
  const Tensor logits = model.output(model.lstm(x).output);
  return {cross_entropy(logits, contiguous(slice(all, 1, 1, 5)), {.reduction = Reduction::sum}),
          4 * rows};
}

/// The bits of all parameters after some steps of Adam, and the losses.
std::vector<double> trained(Ranks& ranks, int64_t shards, DataParallelOptions options = {}) {
  options.shards = shards;
  Speller model = speller(ranks.rank() + 1);  // rank 0's weights count
  Adam adam(parameters(model), {.learning_rate = 0.02});
  DataParallel parallel(parameters(model), ranks, options);
  std::vector<double> result;
  for (int64_t step = 0; step < 4; ++step) {
    const auto total = parallel.step([&](int64_t shard) { return loss_of(model, step, shard); });
    CHECK_FALSE(model.unreached.grad().defined());
    clip_gradients(parameters(model), 1);
    adam.step();
    result.push_back(total.loss);
    result.push_back(static_cast<double>(total.items));
  }
  parallel.check("at the end");
  for (const Tensor& parameter : parameters(model))
    for (const double x : parameter.to_vector<double>()) result.push_back(x);
  return result;
}

}  // namespace

TEST_CASE("shards are added along one tree, whatever the number of ranks") {
  for (int64_t shards = 1; shards <= 19; ++shards) {
    std::set<std::string> texts;
    for (int ranks = 1; ranks <= shards; ++ranks) {
      std::vector<std::vector<std::string>> all(static_cast<size_t>(ranks));
      const auto errors =
          on_ranks(ranks, [&](Ranks& of) { sum_text(shards, ranks, of.rank(), all, of); });
      for (const std::string& error : errors) CHECK(error == "");
      for (const auto& of_rank : all) texts.insert(of_rank.begin(), of_rank.end());
    }
    CAPTURE(shards);
    CHECK(texts.size() == 1);
    if (shards == 5) CHECK(*texts.begin() == "(((0+1)+(2+3))+4)");
  }
}

TEST_CASE("ranks that are a power of two exchange sums by distance doubling") {
  const ShardTree tree(16, 8, 5);
  CHECK(tree.begin == 10);
  CHECK(tree.end == 12);
  std::vector<int> with;
  for (const ShardTree::Step& step : tree.steps)
    if (step.kind == ShardTree::Step::exchange) {
      with.push_back(step.with);
      CHECK(step.send == 0);
      CHECK(step.receives);
    }
  CHECK(with == std::vector{4, 7, 1});
  CHECK_THROWS_WITH_AS(ShardTree(3, 4, 0),
                       "shards: expected at least one shard for each of 4 ranks, got 3", Error);
}

TEST_CASE("the gradients of shards are those of the whole batch") {
  Speller model = speller(), same = speller();
  Ranks alone;
  DataParallel parallel(parameters(model), alone, {.shards = 4});
  parallel.step([&](int64_t shard) { return loss_of(model, 0, shard); });
  std::vector<Tensor> sums;
  double items = 0;
  for (const int64_t shard : {0, 1, 3}) {
    const ShardLoss loss = loss_of(same, 0, shard);
    sums.push_back(loss.sum);
    items += static_cast<double>(loss.items);
  }
  ((sums[0] + sums[1] + sums[2]) / items).backward();
  const auto ours = parameters(model), theirs = parameters(same);
  for (size_t i = 0; i < ours.size(); ++i) {
    CAPTURE(ours[i].name());
    CHECK(ours[i].grad().defined() == theirs[i].grad().defined());
    if (!ours[i].grad().defined()) continue;
    const auto a = ours[i].grad().to_vector<double>(), b = theirs[i].grad().to_vector<double>();
    for (size_t k = 0; k < a.size(); ++k) CHECK(a[k] == doctest::Approx(b[k]).epsilon(1e-5));
  }
}

TEST_CASE("a model has the same bits after training on any number of ranks") {
  for (const int64_t shards : {8, 5}) {
    Ranks alone;
    const std::vector<double> expected = trained(alone, shards);
    for (const int ranks : {1, 2, 3, 4, 5})
      for (const int64_t bucket : {int64_t{200}, int64_t{4000}, int64_t{2} << 20}) {
        CAPTURE(ranks);
        CAPTURE(bucket);
        for (const std::string& error : on_ranks(ranks, [&](Ranks& of) {
               const auto ours = trained(of, shards, {.check_every = 1, .bucket_bytes = bucket});
               if (ours != expected) throw Error("other bits");
             }))
          CHECK(error == "");
      }
  }
}

TEST_CASE("rows of an embedding that do not occur are not sent") {
  const auto bytes_of = [](int64_t ids) {
    ThreadRanks::Post post;
    std::vector<std::thread> threads;
    for (int rank = 0; rank < 2; ++rank)
      threads.emplace_back([&, rank] {
        ThreadRanks ranks(post, rank, 2);
        Generator g(1);
        Embedding table(1000, 16, g);
        DataParallel parallel(parameters(table), ranks, {.shards = 2, .check_every = 0});
        const size_t before = 1000 * 16 * sizeof(float);  // the broadcast of the weights
        parallel.step([&](int64_t) {
          return ShardLoss{sum(table(arange(ids, DType::int64))), ids};
        });
        if (rank == 0) CHECK(post.bytes > before);
      });
    for (std::thread& thread : threads) thread.join();
    return post.bytes - 1000 * 16 * sizeof(float);
  };
  CHECK(bytes_of(1000) - bytes_of(10) == 2 * 990 * 16 * sizeof(float));
}

TEST_CASE("a rank whose parameters have other bits is named, with the first tensor") {
  const auto errors = on_ranks(3, [&](Ranks& ranks) {
    Speller model = speller();
    DataParallel parallel(parameters(model), ranks, {.shards = 3, .check_every = 2});
    for (int64_t step = 0; step < 3; ++step) {
      parallel.step([&](int64_t shard) { return loss_of(model, step, shard == 2 ? 5 : shard); });
      if (ranks.rank() == 1) {
        model.output.weight.mutable_span<float>()[7] += 1;
        model.output.bias.mutable_span<float>()[7] += 1;
      }
    }
  });
  for (const std::string& error : errors)
    CHECK_MESSAGE((contains(error, "after step 2, parameter ") &&
                   contains(error, "output.weight") && contains(error, "on rank 1 than on rank 0")),
                  error);
}

TEST_CASE("an exception on one rank ends the others, also while they wait") {
  const auto errors = on_ranks(4, [&](Ranks& ranks) {
    Speller model = speller();
    DataParallel parallel(parameters(model), ranks, {.shards = 4});
    for (int64_t step = 0; step < 3; ++step)
      parallel.step([&](int64_t shard) {
        if (step == 1 && ranks.rank() == 2) throw Error("no more memory");
        return loss_of(model, step, shard == 2 ? 5 : shard);
      });
  });
  CHECK(errors[2] == "no more memory");
  for (const int rank : {0, 1, 3}) CHECK(errors[static_cast<size_t>(rank)] == "cancelled");
}

TEST_CASE("what ranks were started with is compared by name") {
  const auto errors = on_ranks(4, [&](Ranks& ranks) {
    const bool other = ranks.rank() == 1 || ranks.rank() == 3;
    std::map<std::string, std::string> mine{{"seed", other ? "2" : "1"}, {"rate", "0.1"}};
    if (ranks.rank() == 2) mine["warm-up"] = "400";
    check_same(ranks, mine);
  });
  for (const std::string& error : errors)
    CHECK(error.substr(error.find('\n')) ==
          "\n  seed: 2 on ranks 1 and 3, 1 on rank 0\n  warm-up: 400 on rank 2, nothing on rank 0");
}

TEST_CASE("ranks gather, broadcast and add") {
  for (const int size : {1, 2, 3, 6, 7})
    for (const std::string& error : on_ranks(size, [&](Ranks& ranks) {
           std::string text(static_cast<size_t>(3 * ranks.rank()),
                            static_cast<char>('a' + ranks.rank()));
           const auto texts = gather(ranks, text);
           for (int rank = 0; rank < size; ++rank)
             if (texts[static_cast<size_t>(rank)] !=
                 std::string(static_cast<size_t>(3 * rank), static_cast<char>('a' + rank)))
               throw Error("gather");
           std::string word = ranks.rank() == 0 ? "hello" : "no";
           broadcast(ranks, word);
           if (word != "hello") throw Error("broadcast");
           std::vector<int64_t> counts{1, ranks.rank()};
           sum_over_ranks(ranks, std::span(counts));
           if (counts != std::vector<int64_t>{size, size * (size - 1) / 2}) throw Error("sum");
         }))
      CHECK(error == "");
}

TEST_CASE("a batch without any item is refused") {
  Ranks alone;
  Speller model = speller();
  DataParallel parallel(parameters(model), alone, {.shards = 3});
  CHECK_THROWS_WITH_AS(parallel.step([](int64_t) { return ShardLoss{}; }),
                       "data parallel: all 3 shards of the batch are empty", Error);
}
