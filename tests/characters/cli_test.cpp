#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/files/safetensors.h"
#include "core/tensor/tensor.h"
#include "examples/training/model_file.h"
#include "tests/program.h"

using namespace gradus::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::string learn =
    "$characters --data text --hidden 24 --window 16 --batch 8 --rate 0.02 --threads 1 ";

/// A folder with a text.
struct Text : Folder {
  Text() {
    std::string text;
    for (int i = 0; i < 60; ++i) text += "the cat sees the dog.\n\nthe dog sees the 猫.\n";
    write(*this / "text", text);
  }
};

void check_refused(const Result& result, const std::string& part) {
  CHECK(result.status == 1);
  CHECK_MESSAGE(contains(result.err, part), part << " is not in: " << result.err);
}

}  // namespace

TEST_CASE("a text is learned, shown as a curve, and continued") {
  const Text folder;
  const Result result = run(folder, learn + "--epochs 12 --model m --report r.json --length 60");
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(result.err == "");
  CHECK(contains(result.out, "characters/s"));
  CHECK(contains(result.out, "● training"));
  CHECK(contains(result.out, "the model is in m, the curve is in characters.svg"));
  CHECK(contents(folder / "characters.svg").starts_with("<svg"));
  const json report = json::parse(contents(folder / "r.json"));
  CHECK(report.size() == 13);
  CHECK(report[11].at("valid_loss") < 0.2);
  CHECK(report[12].at("characters_per_second") > 0);

  const std::string sample = "$characters --model m --sample --start 'the d' --length 40 ";
  const Result likely = run(folder, sample + "--temperature 0.01");
  CHECK(likely.out.starts_with("the dog sees the "));
  CHECK(run(folder, sample + "--seed 2").out == run(folder, sample + "--seed 2").out);
  CHECK(run(folder, sample + "--temperature 90 --seed 2").out !=
        run(folder, sample + "--temperature 90 --seed 3").out);
  CHECK(run(folder, "$characters --model m --sample --start '' --length 5").status == 0);
  CHECK(run(folder, "$characters --model m --sample --start 'Ω' --length 5").status == 0);
  check_refused(run(folder, "$characters --model m --sample --start \"$(printf '\\377')\""),
                "UTF-8");
}

TEST_CASE("interrupted and resumed, it ends with the bits of an uninterrupted run") {
  const Text folder;
  REQUIRE(run(folder, learn + "--epochs 60 --patience 60 --model whole").status == 0);
  const Result stopped = run_and_interrupt(folder, learn + "--epochs 60 --patience 60 --model m");
  CHECK(stopped.status == 130);
  CHECK(contains(stopped.err, "the state is in m.checkpoint: the same command with --resume"));
  check_refused(run(folder, learn + "--epochs 60 --patience 60 --model m --resume --seed 2"),
                "seed: 1 in the checkpoint, 2 now");
  const Result resumed = run(folder, learn + "--epochs 60 --patience 60 --model m --resume");
  CHECK_MESSAGE(resumed.status == 0, resumed.err);
  CHECK(contents(folder / "m") == contents(folder / "whole"));
}

TEST_CASE("what it cannot learn or read is refused by name, and nothing is overwritten") {
  const Text folder;
  write(folder / "empty", "");
  write(folder / "short", "one line\n");
  write(folder / "one letter", std::string(2000, 'a'));
  const auto on = [&](const std::string& file) {
    return run(folder, "$characters --epochs 1 --hidden 8 --model m --data " + file);
  };
  check_refused(on("empty"), "empty: is empty; expected a UTF-8 text file");
  check_refused(on("none"), "none: cannot be opened");
  check_refused(on("."), ".: is a folder");
  check_refused(on("short"), "short: is too short; expected at least 20 times --window");
  CHECK_FALSE(fs::exists(folder / "m"));
  CHECK(on("'one letter'").status == 0);
  check_refused(run(folder, learn + "--model text"), "text: holds something else than a model");
  check_refused(run(folder, learn + "--model new --report text"),
                "is the same file as --data text");
  check_refused(run(folder, "$characters --sample --model text"), "text: ");
  gradus::save_tensors(folder / "other", {{{"w", gradus::ones({2})}},
                                          gradus::training::description("translator", {})});
  check_refused(run(folder, "$characters --sample --model other"),
                "other: not a model of this language model, but of a translator of Gradus");
  check_refused(run(folder, learn + "--model other"), "other: holds something else");
  CHECK(run(folder, "$characters --hidden 0").status > 0);
  CHECK(run(folder, "$characters --temperature 0").status > 0);
}
