#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/files/safetensors.h"
#include "core/tensor/random.h"
#include "examples/training/model_file.h"
#include "tests/program.h"

using namespace gradus::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// Texts that tell what someone with a new name eats; the summary is the name and the food.
std::string meals(int count, uint64_t seed) {
  gradus::Generator generator(seed);
  const std::string foods[] = {"bread", "soup", "fish", "rice"};
  std::string text;
  for (int i = 0; i < count; ++i) {
    const auto name = fmt::format("n{}", generator.below(1'000'000));
    const std::string& food = foods[generator.below(4)];
    text += i % 2 == 0 ? fmt::format("Today {} had {}.", name, food)
                       : fmt::format("It was {} that came to {}.", food, name);
    text += fmt::format("\t{} eats {}\n", name, food);
  }
  return text;
}

struct Meals : Folder {
  Meals() {
    write(*this / "train.tsv", meals(200, 1));
    write(*this / "test.tsv", meals(40, 2));
  }
};

const std::string options = " --embedding 12 --hidden 24 --rate 0.02 --batch 20 --threads 1 ";
const std::string train = "$summarise train --data train.tsv --model m" + options;

void check_refused(const Result& result, const std::string& part) {
  CHECK(result.status == 1);
  CHECK_MESSAGE(contains(result.err, part), part << " is not in: " << result.err);
}

}  // namespace

TEST_CASE("train, eval and text work on a user's file, also for names that are new") {
  const Meals folder;
  const Result result = run(folder, train + "--epochs 20 --report r.json");
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.out, "words/s"));
  CHECK(contains(contents(folder / "summarise_loss.svg"), "<svg"));
  CHECK(json::parse(contents(folder / "r.json")).back().contains("best_epoch"));

  const Result judged = run(folder, "$summarise eval --model m --data test.tsv --report e.json");
  REQUIRE_MESSAGE(judged.status == 0, judged.err);
  CHECK(contains(judged.out, "first sentence"));
  const json figures = json::parse(contents(folder / "e.json"));
  CHECK(figures.at("model").at("names") > 80);
  CHECK(figures.at("model").at("rouge_l") > figures.at("first sentence").at("rouge_l"));

  const Result written = run(folder, R"(printf 'Today Zorro had soup.\nToday Uma had fish.\n' |
      $summarise text --model m --map --svg map.svg)");
  CHECK_MESSAGE(written.status == 0, written.err);
  CHECK(contains(written.out, "zorro eats soup"));
  CHECK(contains(written.out, "uma eats fish"));
  CHECK(contains(contents(folder / "map.svg"), "<svg"));
}

TEST_CASE("without copying and coverage it learns, too, and writes no name") {
  const Meals folder;
  const Result result = run(folder, train + "--epochs 8 --no-copy --no-coverage");
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const Result judged = run(folder, "$summarise eval --model m --data test.tsv --report e.json");
  REQUIRE_MESSAGE(judged.status == 0, judged.err);
  CHECK(json::parse(contents(folder / "e.json")).at("model").at("names") == 0);
}

TEST_CASE("without a command it shows what attention, copying and coverage bring") {
  const Folder folder;
  const std::string command =
      "$summarise --bulletins 200 --epochs 2 --embedding 8 --hidden 16 --threads 1 --model m.x";
  const Result result = run(folder, command + " --report r.json");
  REQUIRE_MESSAGE(result.status == 0, result.err);
  for (const char* part : {"first sentence", "attention", "+ copying", "+ coverage", "ROUGE-L",
                           "repeated", "→ ", "the model is in m.x"})
    CHECK_MESSAGE(contains(result.out, part), part);
  CHECK(contains(contents(folder / "summarise.svg"), "<svg"));
  CHECK(contains(contents(folder / "summarise_loss.svg"), "<svg"));
  CHECK(json::parse(contents(folder / "r.json")).back().at("+ coverage").contains("rouge_2"));
  for (const char* model : {"m_attention.x", "m_copying.x", "m.x"})
    CHECK(fs::exists(folder / model));
  const Result again = run(folder, command + " --resume");  // nothing is left to do
  CHECK_MESSAGE(again.status == 0, again.err);
  CHECK_FALSE(contains(again.out, "words/s"));
}

TEST_CASE("interrupted and resumed, summarise ends with the bits of an uninterrupted run") {
  const Meals folder;
  const std::string learn = "--epochs 12 --dropout 0.1 --coverage-start 0.3 ";
  REQUIRE(run(folder, "$summarise train --data train.tsv --model whole" + options + learn).status ==
          0);
  const Result stopped = run_and_interrupt(folder, train + learn);
  CHECK(stopped.status == 130);
  check_refused(run(folder, train + learn + "--resume --no-coverage"), "coverage: ");
  check_refused(run(folder, "$summarise train --data test.tsv --min-count 2 --model m" + options +
                                learn + "--resume"),
                "checkpoint");
  const Result resumed = run(folder, train + learn + "--resume");
  CHECK_MESSAGE(resumed.status == 0, resumed.err);
  CHECK(contents(folder / "m") == contents(folder / "whole"));
}

TEST_CASE("what summarise cannot learn or read is refused by name, and nothing is overwritten") {
  const Meals folder;
  const auto on = [&](const std::string& text) {
    write(folder / "bad.tsv", text);
    return run(folder, "$summarise train --epochs 1 --model m --data bad.tsv" + options);
  };
  check_refused(run(folder, "$summarise train --data none.tsv --model m" + options),
                "none.tsv: cannot be opened");
  check_refused(on(""), "bad.tsv: is empty");
  check_refused(on("\n\n"), "bad.tsv: no usable article in 2 lines");
  check_refused(on("a b\ta\na b\n"), "bad.tsv, line 2: expected two columns, a text, a tab and");
  check_refused(on("a b\ta\tb\n"), "bad.tsv, line 1: expected two columns, a text, a tab and its");
  check_refused(on("a b\ta\n \tb\n"), "bad.tsv, line 2: its text is empty");
  check_refused(on("a b\t \n"), "bad.tsv, line 1: its summary is empty");
  check_refused(on("a b\ta\n"), "bad.tsv: expected 10 articles or more");
  std::string same, different;
  for (int i = 0; i < 20; ++i) {
    same += "a a\ta\n";
    different += fmt::format("w{}\tv{}\n", i, i);
  }
  check_refused(on(same), "expected two words or more that occur 5 times (--min-count), got 1 in");
  check_refused(on(different),
                "expected two words or more that occur 5 times (--min-count), got 0");
  check_refused(run(folder, "$summarise train --data train.tsv --model m --hidden 25"),
                "expected an even hidden size");
  CHECK_FALSE(fs::exists(folder / "m"));

  write(folder / "m", "something of mine");
  check_refused(run(folder, train), "m: holds something else than a model");
  CHECK(contents(folder / "m") == "something of mine");
  check_refused(run(folder, "$summarise text --model m"), "m: ");
  gradus::save_tensors(folder / "other", {{{"w", gradus::ones({2})}},
                                          gradus::training::description("translator", {})});
  check_refused(run(folder, "$summarise text --model other"),
                "other: not a model of this summariser, but of a translator of Gradus");
  check_refused(run(folder, "$summarise eval --model other --data test.tsv"), "other: not a model");
  CHECK(run(folder, "$summarise train --data train.tsv --hidden none").status > 0);
  check_refused(run(folder, "$summarise --seed 2 train --data train.tsv"),
                "options come after the command");
}

TEST_CASE("a text that it can make nothing of is said, and the next one is summarised") {
  const Meals folder;
  REQUIRE(run(folder, train + "--epochs 1").status == 0);
  const auto text = [&](const std::string& lines) {
    return run(folder, "printf '" + lines + "' | $summarise text --model m");
  };
  check_refused(text("Quo vadis\\n"), "line 1: no word of the text is among the");
  check_refused(text("\\n"), "line 1: expected a text, got an empty line");
  check_refused(text("\\377\\n"), "line 1: invalid UTF-8");
  const Result mixed = text("Quo vadis\\nToday Uma had fish.\\n");
  CHECK(mixed.status == 1);
  CHECK(mixed.out.size() > 1);
  CHECK(text("").status == 0);
}
