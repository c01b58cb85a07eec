#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/files/safetensors.h"
#include "core/ops/movement.h"
#include "examples/training/model_file.h"
#include "tests/program.h"

using namespace gradus::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::string options = " --size 8 --heads 2 --hops 1 --threads 1 ";
const std::string train = "$look train --pictures 20 --model m" + options;

void check_refused(const Result& result, const std::string& part) {
  CHECK(result.status == 1);
  CHECK_MESSAGE(contains(result.err, part), part << " is not in: " << result.err);
}

}  // namespace

TEST_CASE("shapes are learned, judged and asked about, with their figures and pictures") {
  const Folder folder;
  const Result result = run(folder, train + "--epochs 2 --report r.json");
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.out, "questions/s"));
  CHECK(contains(result.out, "non-relational"));
  CHECK(contains(contents(folder / "look_loss.svg"), "<svg"));
  CHECK(
      json::parse(contents(folder / "r.json")).back().at("unseen pictures").contains("relational"));

  const Result asked = run(folder, R"(echo 'Is the red one on the left?' |
      $look ask --model m --picture 1000002 --svg a.svg)");
  CHECK_MESSAGE(asked.status == 0, asked.err);
  CHECK(contains(asked.out, "🟥"));
  CHECK(contains(asked.out, "look 1"));
  CHECK(contains(asked.out, " %)"));
  CHECK(contains(contents(folder / "a.svg"), "Is the red one on the left?"));
}

TEST_CASE("a folder of pictures is written, learned, judged and asked about") {
  const Folder folder;
  REQUIRE(run(folder, "$look draw d --pictures 12").status == 0);
  const Result trained = run(folder, "$look train --data d --epochs 1 --model m" + options);
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  CHECK(contains(trained.out, "11 pictures to learn, 1 to judge on"));
  const Result judged = run(folder, "$look eval --data d --model m --report e.json");
  REQUIRE_MESSAGE(judged.status == 0, judged.err);
  CHECK(contains(judged.out, "right answers to 240 questions"));
  CHECK(json::parse(contents(folder / "e.json")).at("model").contains("all"));
  const std::string ask = "echo 'What shape is the red one?' | $look ask --brief --model m ";
  const Result of_file = run(folder, ask + "--file d/00003.ppm"),
               of_number = run(folder, ask + "--picture 1000003");
  CHECK_MESSAGE(of_file.status == 0, of_file.err);
  CHECK(of_file.out == of_number.out);
}

TEST_CASE("without a command it shows that question and picture are both needed") {
  const Folder folder;
  const std::string command = "$look --pictures 20 --epochs 1 --model m.x" + options;
  const Result result = run(folder, command + " --report r.json");
  REQUIRE_MESSAGE(result.status == 0, result.err);
  for (const char* part :
       {"question alone", "picture alone", "both", "relational", "🟦", "look 1",
        "What shape is closest to the yellow one?", "the model is in m.x"})
    CHECK_MESSAGE(contains(result.out, part), part);
  CHECK(contains(contents(folder / "look.svg"), "<svg"));
  CHECK(contains(contents(folder / "look_loss.svg"), "<svg"));
  CHECK(json::parse(contents(folder / "r.json")).back().at("picture alone").contains("relational"));
  for (const char* model : {"m_question.x", "m_picture.x", "m.x"})
    CHECK(fs::exists(folder / model));
  const Result again = run(folder, command + " --resume");  // nothing is left to do
  CHECK_MESSAGE(again.status == 0, again.err);
  CHECK_FALSE(contains(again.out, "questions/s"));
}

TEST_CASE("interrupted and resumed, look ends with the bits of an uninterrupted run") {
  const Folder folder;
  const std::string learn = "--epochs 40 ";
  REQUIRE(run(folder, "$look train --pictures 20 --model whole" + options + learn).status == 0);
  const Result stopped = run_and_interrupt(folder, train + learn);
  CHECK(stopped.status == 130);
  check_refused(run(folder, train + learn + "--resume --no-question"), "question: ");
  check_refused(run(folder, "$look train --pictures 21 --model m" + options + learn + "--resume"),
                "checkpoint");
  const Result resumed = run(folder, train + learn + "--resume");
  CHECK_MESSAGE(resumed.status == 0, resumed.err);
  CHECK(contents(folder / "m") == contents(folder / "whole"));
}

TEST_CASE("what look cannot learn or read is refused by name, and nothing is overwritten") {
  const Folder folder;
  REQUIRE(run(folder, "$look draw d --pictures 12").status == 0);
  const auto on = [&](const std::string& text) {
    write(folder / "d/questions.tsv", text);
    return run(folder, "$look train --epochs 1 --model m --data d" + options);
  };
  check_refused(on(""), "d/questions.tsv: is empty");
  check_refused(on("\n\n"), "d/questions.tsv: no usable question in 2 lines");
  check_refused(on("00001.ppm\tWhy?\tyes\n00001.ppm\tWhy?\n"),
                "d/questions.tsv, line 2: expected three columns, a picture, a question and its "
                "answer, got 2");
  check_refused(on("00001.ppm\tWhy?\tyes\tno\n"), "line 1: expected three columns");
  check_refused(on("00001.ppm\t \tyes\n"), "d/questions.tsv, line 1: its question is empty");
  check_refused(on("00001.ppm\tWhy?\t\n"), "line 1: its answer is empty");
  check_refused(on("\tWhy?\tyes\n"), "line 1: its picture is empty");
  check_refused(on("none.ppm\tWhy?\tyes\n"), "d/questions.tsv, line 1: d/none.ppm: cannot be op");
  check_refused(on("00001.ppm\tWhy?\tyes\n"), "d: expected 10 pictures or more");
  std::string same, bare;
  for (int i = 1; i <= 12; ++i) {
    same += "000" + std::string(i < 10 ? "0" : "") + std::to_string(i) + ".ppm\tWhy?\tyes\n";
    bare += "000" + std::string(i < 10 ? "0" : "") + std::to_string(i) + ".ppm\tWhy\t" +
            (i < 6 ? "yes\n" : "no\n");
  }
  check_refused(on(same), "d: all questions have the same answer, 'yes'; expected two or more");
  check_refused(on(bare), "d: all questions are made of one word, 'why'; expected two or more");
  write(folder / "d/large.ppm", "P6 80 60 255\n" + std::string(80 * 60 * 3, ' '));
  check_refused(on("large.ppm\tWhy?\tyes\n"), "expected a picture of 75 × 75 pixels, got 80 × 60");
  check_refused(run(folder, "$look train --data none --model m"), "none: is not a folder");
  fs::create_directory(folder / "empty");
  check_refused(run(folder, "$look train --data empty --model m"),
                "empty: holds no file 'questions.tsv'");
  check_refused(run(folder, "$look draw d"), "d: is not empty");
  check_refused(run(folder, "$look train --pictures 20 --size 9 --heads 2 --model m"), "heads");
  CHECK_FALSE(fs::exists(folder / "m"));

  write(folder / "m", "something of mine");
  check_refused(run(folder, train), "m: holds something else than a model");
  CHECK(contents(folder / "m") == "something of mine");
  check_refused(run(folder, "$look ask --model m"), "m: ");
  gradus::save_tensors(folder / "other", {{{"w", gradus::ones({2})}},
                                          gradus::training::description("translator", {})});
  check_refused(run(folder, "$look ask --model other"),
                "other: not a model of this looker, but of a translator of Gradus");
  check_refused(run(folder, "$look eval --model other"), "other: not a model");
  CHECK(run(folder, "$look train --size none").status > 0);
  check_refused(run(folder, "$look --seed 2 train"), "options come after the command");
}

TEST_CASE("a question that it can make nothing of is said, and the next one is answered") {
  const Folder folder;
  REQUIRE(run(folder, train + "--epochs 1").status == 0);
  const auto ask = [&](const std::string& lines) {
    return run(folder, "printf '" + lines + "' | $look ask --brief --model m");
  };
  check_refused(ask("Quo vadis\\n"), "line 1: no word of 'Quo vadis' is among the");
  check_refused(ask("\\n"), "line 1: expected a question, got an empty line");
  check_refused(ask("\\377\\n"), "line 1: invalid UTF-8");
  const Result mixed = ask("Quo vadis\\nWhat shape is the red one?\\n");
  CHECK(mixed.status == 1);
  CHECK(mixed.out.size() > 1);
  CHECK(ask("").status == 0);
  write(folder / "small.ppm", "P6 3 3 255\n" + std::string(27, ' '));
  check_refused(run(folder, "$look ask --model m --file small.ppm < /dev/null"),
                "small.ppm: expected a picture of 75 × 75 pixels, got 3 × 3");
}
