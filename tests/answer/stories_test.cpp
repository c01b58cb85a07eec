#include "examples/answer/stories.h"

#include <doctest/doctest.h>

#include "core/tensor/error.h"
#include "tests/files.h"

using namespace gradus;
using namespace gradus::answer;
using namespace gradus::testing;
using namespace gradus::training;
using Texts = std::vector<std::string>;

namespace {

Stories read(const std::string& text) {
  const Folder folder;
  write(folder / "qa1_train.txt", text);
  return read_stories(folder / "qa1_train.txt", "qa1");
}

void check_refused(const std::string& text, const std::string& message) {
  CHECK_THROWS_WITH_AS(read(text), doctest::Contains(message.c_str()), Error);
}

}  // namespace

TEST_CASE("a question of bAbI is about the sentences of its story before it") {
  const Stories stories = read(
      "1 Mary moved to the bathroom.\r\n2 Where is Mary? \tbathroom\t1\r\n"
      "3 John went out.\n4 What did they have?\tmilk,football\t1 3\n"
      "1 Sandra slept.\n2 Who slept?\tSandra\n");
  CHECK(stories.sentences ==
        Texts{"Mary moved to the bathroom.", "John went out.", "Sandra slept."});
  REQUIRE(stories.questions.size() == 3);
  const auto span = [&](size_t i) {
    return std::pair(stories.questions[i].begin, stories.questions[i].end);
  };
  CHECK(span(0) == std::pair<int64_t, int64_t>(0, 1));
  CHECK(span(1) == std::pair<int64_t, int64_t>(0, 2));
  CHECK(span(2) == std::pair<int64_t, int64_t>(2, 3));
  CHECK(answer_token(stories.questions[1].answer) == "milk, football");
  CHECK(stories.questions[2].kind == "qa1");
}

TEST_CASE("what is wrong in a file of stories is said with its line") {
  check_refused("1 a b.\nc d.\n", "qa1_train.txt, line 2: expected a number, a space and");
  check_refused("1 a b.\n2\n", "line 2: expected a number, a space and");
  check_refused("2 a b.\n", "line 1: expected number 1, where a story begins, or 1, got 2");
  check_refused("1 a b.\n3 a?\tb\t1\n", "line 2: expected number 1, where a story begins, or 2");
  check_refused("1 a b.\n2 a?\tb\t1\t2\n", "line 2: expected a sentence, or a question");
  check_refused("1 a b.\n2 a?\t\t1\n", "line 2: its answer is empty");
  check_refused("1 a b.\n2 \tb\t1\n", "line 2: its question is empty");
  check_refused("1 .\n", "line 1: its sentence is empty");
  check_refused("1 a?\tb\t1\n", "line 1: a question before any sentence of its story");
  check_refused("1 a b.\n2 c d.\n1 e f.\n",
                "line 3: the story that begins at line 1 ends here without a question");
  check_refused("1 a b.\n2 a?\tb\t1\n1 e f.\n", "the story that begins at line 3 ends here");
  CHECK_THROWS_WITH(read(""), doctest::Contains("is empty; expected a UTF-8 text file"));
  CHECK_THROWS_WITH(read("\n\n"), doctest::Contains("no usable story in 2 lines"));
}

TEST_CASE("the tasks of a folder are known by the names of their files") {
  const Folder folder;
  CHECK_THROWS_WITH_AS(tasks_in(folder / "none"), doctest::Contains("there is no such folder"),
                       Error);
  write(folder / "notes.txt", "");
  CHECK_THROWS_WITH_AS(tasks_in(folder.path), doctest::Contains("holds no file such as qa1_"),
                       Error);
  write(folder / "qa10_two-words_train.txt", "");
  write(folder / "qa2_x_test.txt", "");
  const auto tasks = tasks_in(folder.path);
  REQUIRE(tasks.size() == 2);
  CHECK(tasks.at(10).name == "qa10 two-words");
  CHECK(tasks.at(10).train == folder / "qa10_two-words_train.txt");
  CHECK(tasks.at(10).test == "");
  CHECK(tasks.at(2).train == "");
}

TEST_CASE("sentences become words without punctuation, Chinese ones characters") {
  CHECK(words_of("Where is Mary? ") == Texts{"where", "is", "mary"});
  CHECK(words_of("小明在厨房。") == Texts{"小", "明", "在", "厨", "房"});
  CHECK(words_of("...") == Texts{});
  CHECK(answer_token("厨房") == "厨房");
}

TEST_CASE("a batch has the newest sentences first") {
  const Stories stories = read(
      "1 a b.\n2 c c.\n3 d?\tb\t1\n"
      "1 b.\n2 d?\ta\t1\n");
  const Vocabulary vocabulary = vocabulary_of(stories);
  const Encoded data(stories, vocabulary);
  const auto at = [&](const Tensor& x, int64_t row, const char* word) {
    return x.span<float>()[static_cast<size_t>(row * vocabulary.size() + vocabulary.id(word))];
  };
  const Batch batch = batch_of(data, {0, 1});
  CHECK(batch.story.counts.shape() == Shape{2, 2, vocabulary.size()});
  CHECK(at(batch.story.counts, 0, "c") == 2);
  CHECK(at(batch.story.places, 0, "c") == 1.5);
  CHECK(at(batch.story.counts, 1, "a") == 1);
  CHECK(at(batch.story.places, 1, "a") == 0.5);
  CHECK(at(batch.story.places, 1, "b") == 1);
  CHECK(at(batch.question.counts, 1, "d") == 1);
  CHECK(batch.mask.attended().to_vector<double>() == std::vector<double>{1, 1, 1, 0});
  CHECK(batch.answers.to_vector<int64_t>() == std::vector{vocabulary.id("b"), vocabulary.id("a")});
}

TEST_CASE("noise puts empty ones between sentences, and none without a generator") {
  std::string text;
  for (int i = 1; i <= 400; ++i) text += std::to_string(i) + " word.\n";
  const Stories stories = read(text + "401 what?\tword\t1\n");
  const Encoded data(stories, vocabulary_of(stories));
  CHECK(batch_of(data, {0}, 0.1).mask.shape() == Shape{1, 400});
  Generator generator(1);
  const Batch noisy = batch_of(data, {0}, 0.1, &generator);
  // 400 sentences and about a ninth of that empty: 44 ± 4 · √(400 · 0.1)/0.9
  CHECK(noisy.mask.shape()[1] > 400 + 44 - 29);
  CHECK(noisy.mask.shape()[1] < 400 + 44 + 29);
  CHECK(batch_of(data, {0}, 0, &generator).mask.shape() == Shape{1, 400});
}
