#include <doctest/doctest.h>

#include <array>
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

/// Stories of two people in three rooms: the last move of the one who is asked for counts.
std::string stories(int count, uint64_t seed) {
  gradus::Generator generator(seed);
  const std::array people{"Mary", "John"};
  const std::array rooms{"bathroom", "hallway", "garden"};
  std::string text;
  for (int story = 0; story < count; ++story) {
    std::array<std::string, 2> room;
    int line = 0;
    for (int move = 0; move < 4; ++move) {
      const auto who = size_t(move < 2 ? move : generator.below(2));
      room[who] = rooms[size_t(generator.below(3))];
      text += std::to_string(++line) + " " + people[who] + " went to the " + room[who] + ".\n";
    }
    for (size_t who : {0, 1})
      text += std::to_string(++line) + " Where is " + people[who] + "? \t" + room[who] + "\t1\n";
  }
  return text;
}

struct Tasks : Folder {
  Tasks() {
    fs::create_directory(*this / "en");
    write(*this / "en/qa1_single_train.txt", stories(200, 1));
    write(*this / "en/qa1_single_test.txt", stories(40, 2));
    write(*this / "en/qa12_double_train.txt", stories(60, 3));
    write(*this / "en/qa12_double_test.txt", stories(20, 4));
    write(*this / "en/qa3_no-training_test.txt", stories(20, 4));
  }
};

const std::string options = " --size 12 --hops 2 --rate 0.02 --threads 1 ";
const std::string train = "$answer train --data en --model m" + options;
const std::string facts = "Mary went to the garden.\\nJohn went to the hallway.\\n";

void check_refused(const Result& result, const std::string& part) {
  CHECK(result.status == 1);
  CHECK_MESSAGE(contains(result.err, part), part << " is not in: " << result.err);
}

}  // namespace

TEST_CASE("a task is learned, judged, and asked") {
  for (const std::string network :
       {"reduction ", "memory --linear-start 3 ", "both --linear-start 3 --memory 3 "}) {
    CAPTURE(network);
    const Tasks folder;
    const Result result =
        run(folder, train + "--task 1 --epochs 25 --report r.json --architecture " + network);
    REQUIRE_MESSAGE(result.status == 0, result.err);
    CHECK(contains(result.out, "questions/s"));
    CHECK(contains(result.out, "qa1 single"));
    const json end = json::parse(contents(folder / "r.json")).back();
    CHECK(end.at("mean_error") < 20);  // guessing a room gives 67
    CHECK(end.at("errors").at("qa1 single") == end.at("mean_error"));

    const Result judged = run(folder, "$answer eval --model m --data en --task 1 --report e.json");
    CHECK_MESSAGE(judged.status == 0, judged.err);
    CHECK(json::parse(contents(folder / "e.json")).at("mean_error") == end.at("mean_error"));

    const Result asked = run(folder, "printf '" + facts + R"(Where is Mary?\nWhere is John?\n' |
        $answer ask --model m --svg look.svg)");
    CHECK_MESSAGE(asked.status == 0, asked.err);
    CHECK(contains(asked.out, "garden  ("));
    CHECK(contains(asked.out, "Mary went to the garden."));
    const bool both = network.starts_with("both");
    for (const char* column : {"memory 2", "reduction 2", "hop 2"})
      CHECK(contains(asked.out, column) == (both != (column[0] == 'h')));
    CHECK(contains(contents(folder / "look.svg"), "John went to the hallway."));
    const Result brief = run(folder, "printf '" + facts + R"(Where is Mary?\n\nJohn went to the
garden.\nWhere is John?\n' | $answer ask --brief --model m)");
    CHECK(brief.out.starts_with("garden\n"));
  }
}

TEST_CASE("all tasks are learned by one model, or each by its own in a table") {
  const Tasks folder;
  const Result joint = run(folder, train + "--epochs 2");
  REQUIRE_MESSAGE(joint.status == 0, joint.err);
  for (const char* part :
       {"qa1 single", "qa3 no-training", "qa12 double", "tasks above 5 %", "processor time"})
    CHECK_MESSAGE(contains(joint.out, part), part);
  const std::string table =
      "$answer table --data en --models models --epochs 2 --runs 2 --report t.json" + options;
  const Result made = run(folder, table);
  REQUIRE_MESSAGE(made.status == 0, made.err);
  CHECK(contains(made.err, "en: qa3 no-training has no training or no test file; left out"));
  CHECK(made.out.find("\nqa1 single") < made.out.find("\nqa12 double"));
  CHECK(fs::exists(folder / "models/qa12_seed2.safetensors"));
  CHECK(fs::exists(folder / "models/joint_seed2.safetensors"));
  const json report = json::parse(contents(folder / "t.json"));
  for (const char* column : {"each", "joint"}) CHECK(report[column].at("errors").size() == 2);
  const Result again = run(folder, table);  // continues what is there: nothing is left to do
  CHECK_MESSAGE(again.status == 0, again.err);
  for (const char* column : {"each", "joint"})
    CHECK(json::parse(contents(folder / "t.json"))[column] == report[column]);
}

TEST_CASE("without a command it learns its own worlds and shows what it looks at") {
  const Folder folder;
  const Result result = run(
      folder, "$answer --worlds 120 --epochs 2 --model m --report r.json < /dev/null" + options);
  REQUIRE_MESSAGE(result.status == 0, result.err);
  for (const char* part : {"English Chinese", "which way", "hop 1", "the model is in m"})
    CHECK_MESSAGE(contains(result.out, part), part);
  CHECK(contents(folder / "answer.svg").starts_with("<svg"));
  CHECK(contents(folder / "answer_loss.svg").starts_with("<svg"));
  CHECK(json::parse(contents(folder / "r.json")).back().contains("how many things"));
  CHECK(run(folder, "printf '小明去了厨房。\\n小明在哪里？\\n' | $answer ask --model m --brief")
            .status == 0);
}

TEST_CASE("interrupted and resumed, answer ends with the bits of an uninterrupted run") {
  for (const char* network :
       {"reduction ", "memory --linear-start 6 --noise 0.2 ", "both --linear-start 6 "}) {
    CAPTURE(network);
    const Tasks folder;
    const std::string learn = std::string("--task 1 --epochs 40 --architecture ") + network;
    REQUIRE(run(folder, "$answer train --data en --model whole" + options + learn).status == 0);
    const Result stopped = run_and_interrupt(folder, train + learn);
    CHECK(stopped.status == 130);
    const std::string other = "$answer train --data en --model m --size 12 --rate 0.02 --resume ";
    check_refused(run(folder, other + learn + "--hops 3"), "hops: 2 in the checkpoint, 3 now");
    check_refused(run(folder, other + "--hops 2 --task 12 --epochs 40 --architecture " + network),
                  "checksum of the stories");
    const Result resumed = run(folder, train + learn + "--resume");
    CHECK_MESSAGE(resumed.status == 0, resumed.err);
    CHECK(contents(folder / "m") == contents(folder / "whole"));
  }
}

TEST_CASE("what answer cannot learn or read is refused by name, and nothing is overwritten") {
  const Tasks folder;
  const auto on = [&](const std::string& data) {
    return run(folder, "$answer train --epochs 1 --model m --data " + data + options);
  };
  check_refused(on("none"), "none: there is no such folder");
  check_refused(on("en/qa1_single_train.txt"), "there is no such folder");
  fs::create_directory(folder / "empty");
  check_refused(on("empty"), "empty: holds no file such as qa1_single-supporting-fact_train.txt");
  check_refused(on("en --task 5"), "en: holds no training file of task 5");
  check_refused(on("en --task 3"), "en: holds no training file of task 3");
  fs::create_directory(folder / "bad");
  const auto bad = [&](const std::string& text) {
    write(folder / "bad/qa1_x_train.txt", text);
    write(folder / "bad/qa1_x_test.txt", stories(2, 1));
    return on("bad");
  };
  check_refused(bad(""), "bad/qa1_x_train.txt: is empty");
  check_refused(bad("1 Mary slept.\n"), "qa1_x_train.txt: the story that begins at line 1 ends");
  check_refused(bad("1 Mary slept.\n2 Who?\tMary\t1\textra\n"), "qa1_x_train.txt, line 2: ");
  check_refused(bad("1 a.\n2 a?\ta\t1\n"), "bad: all 1 questions have the same answer, 'a'");
  check_refused(bad("1 a.\n2 a?\ta\t1\n3 a?\tb\t1\n"),
                "expected questions about some 50 stories or more");
  CHECK_FALSE(fs::exists(folder / "m"));

  write(folder / "m", "something of mine");
  check_refused(run(folder, train), "m: holds something else than a model");
  CHECK(contents(folder / "m") == "something of mine");
  check_refused(run(folder, "$answer ask --model m"), "m: ");
  gradus::save_tensors(folder / "other", {{{"w", gradus::ones({2})}},
                                          gradus::training::description("translator", {})});
  check_refused(run(folder, "$answer ask --model other"),
                "other: not a model of this question answerer, but of a translator of Gradus");
  CHECK(run(folder, "$answer train --data en --tying sideways").status > 0);
  CHECK(run(folder, "$answer train --data en --architecture oracle").status > 0);
  check_refused(run(folder, "$answer --seed 2 train --data en"), "options come after the command");
}

TEST_CASE("questions that it can make nothing of are said, and the next one is answered") {
  const Tasks folder;
  REQUIRE(run(folder, train + "--epochs 1 --task 1").status == 0);
  const auto ask = [&](const std::string& text) {
    return run(folder, "printf '" + text + "' | $answer ask --brief --model m");
  };
  check_refused(ask("Where is Mary?\\n"), "line 1: there is no story yet");
  check_refused(ask(facts + "Quo vadis?\\n"), "line 3: no word of 'Quo vadis?' is among the");
  check_refused(ask(facts + "\\377?\\nWhere is Mary?\\n"), "line 3: invalid UTF-8");
  CHECK(ask(facts + "\\377?\\nWhere is Mary?\\n").out.size() > 3);
  CHECK(ask("").status == 0);
  CHECK(ask(facts + "Where is Zorro?\\n").status == 0);  // one unknown word among known ones
}
