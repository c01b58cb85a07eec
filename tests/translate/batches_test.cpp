#include "examples/translate/batches.h"

#include <doctest/doctest.h>

#include "tests/translate/toy.h"

using namespace gradus;
using namespace gradus::translate;
using Ids = std::vector<int64_t>;

TEST_CASE("the decoder is fed <bos> and the target, and is to say the target and <eos>") {
  const Batch batch = make_batch({{{5}, {6, 7}}, {{8, 9}, {10}}});
  CHECK(batch.source.ids.to_vector<int64_t>() == Ids{5, pad_id, 8, 9});
  CHECK(Ids(batch.source.mask.lengths().begin(), batch.source.mask.lengths().end()) == Ids{1, 2});
  // The targets are views of one tensor, so a shorter sentence is fed its <eos>, too.
  CHECK(batch.target_in.to_vector<int64_t>() == Ids{bos_id, 6, 7, bos_id, 10, eos_id});
  CHECK(batch.target_out.to_vector<int64_t>() == Ids{6, 7, eos_id, 10, eos_id, pad_id});
  CHECK(batch.target_tokens == 5);
}

TEST_CASE("rows of a batch are the batch of those sentences") {
  const std::vector<Example> examples{{{5, 6, 7}, {8}}, {{5}, {9, 9}}, {{5, 6}, {8, 8, 8, 8}}};
  const Batch some = rows_of(make_batch(examples), 0, 2);
  const Batch expected = make_batch({examples[0], examples[1]});
  CHECK(some.source.ids.to_vector<int64_t>() == expected.source.ids.to_vector<int64_t>());
  CHECK(std::ranges::equal(some.source.mask.lengths(), expected.source.mask.lengths()));
  CHECK(some.target_out.to_vector<int64_t>() == expected.target_out.to_vector<int64_t>());
  CHECK(some.target_in.shape() == expected.target_in.shape());
  CHECK(some.target_tokens == expected.target_tokens);
  CHECK_THROWS_WITH_AS(rows_of(make_batch(examples), 2, 2),
                       "rows_of: expected rows within the 3 that there are, got [2, 2)", Error);
}

TEST_CASE("an empty target is nothing but <eos>") {
  const Batch batch = make_batch({{{5}, {}}});
  CHECK(batch.target_in.to_vector<int64_t>() == Ids{bos_id});
  CHECK(batch.target_out.to_vector<int64_t>() == Ids{eos_id});
  CHECK(batch.target_tokens == 1);
}

TEST_CASE("batches hold every example once, sorted by target length, then source length") {
  const std::vector<Batch> batches = make_batches(
      {{{4, 4, 4}, {5, 5}}, {{6}, {5, 5}}, {{7}, {5}}, {{8}, {5, 5, 5}}, {{9}, {5}}}, 2);
  REQUIRE(batches.size() == 3);
  CHECK(batches[0].source.ids.to_vector<int64_t>() == Ids{7, 9});  // ties stay in order
  CHECK(batches[1].source.ids.to_vector<int64_t>() == Ids{6, pad_id, pad_id, 4, 4, 4});
  CHECK(batches[2].source.ids.to_vector<int64_t>() == Ids{8});
  CHECK(batches[0].target_tokens + batches[1].target_tokens + batches[2].target_tokens == 14);
  CHECK(make_batches({}, 2).empty());
}

TEST_CASE("pairs are encoded by each side's vocabulary, unknown tokens as <unk>") {
  const Trained trained = toy::untrained(toy::pairs());
  const auto examples = encode({{"I drink coffee.", "我喝茶"}}, trained.source, trained.target);
  REQUIRE(examples.size() == 1);
  CHECK(examples[0].source ==
        Ids{trained.source.id("i"), trained.source.id("drink"), unk_id, trained.source.id(".")});
  CHECK(examples[0].target ==
        Ids{trained.target.id("我"), trained.target.id("喝"), trained.target.id("茶")});
}
