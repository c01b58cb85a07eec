// The kind: a message or an output that cannot be written takes something else with it, or nobody
// hears of it.

#include <doctest/doctest.h>

#include <filesystem>

#include "tests/program.h"
#include "tests/translate/toy.h"

using namespace gradus::testing;
using namespace gradus::translate;

namespace {

const std::string train =
    "$translate train --train pairs.tsv --valid pairs.tsv --embedding 16 --hidden 24 --batch 4 "
    "--rate 0.02 --min-count 1 --threads 1 ";

const Folder& folder() {
  static const Folder made;
  static const bool is_ready = [] {
    std::string text = "no tab\n";
    for (const Pair& pair : toy::pairs()) text += pair.source + "\t" + pair.target + "\n";
    write(made / "pairs.tsv", text);
    return run(made, train + "--epochs 3 --model model").status == 0;
  }();
  REQUIRE(is_ready);
  return made;
}

const std::string closed = " 2>&-", full = " 2>/dev/full", unread = " 2>&1 >&3 3>&- | true";

}  // namespace

TEST_CASE("text translates the whole batch though its warnings cannot be written") {
  write(folder() / "input", "I drink tea.\nI \xff drink\nThey eat rice.\n");
  const std::string text = "$translate text --model model < input";
  const Result heard = run(folder(), text);
  REQUIRE(contains(heard.err, "line 2: invalid UTF-8"));
  for (const std::string& stderr_of : {closed, full}) {
    const Result result = run(folder(), text + stderr_of);
    CHECK(result.status == 0);
    CHECK(result.out == heard.out);
  }
  CHECK(run(folder(), "{ " + text + unread + "; } 3>&1").out == heard.out);
}

TEST_CASE("training goes on though its warnings cannot be written") {
  for (const std::string& stderr_of : {closed, full}) {
    std::filesystem::remove(folder() / "m");
    CHECK(run(folder(), train + "--epochs 1 --model m" + stderr_of).status == 0);
    CHECK(std::filesystem::exists(folder() / "m"));
  }
}

TEST_CASE("a standard output that is full is an error that loses nothing else") {
  for (const std::string command :
       {"text --model model < pairs.tsv", "eval --model model --data pairs.tsv --report r.json",
        "attention --model model --svg a.svg tea", "--help", "train --help"}) {
    const Result result = run(folder(), "$translate " + command + " > /dev/full");
    CHECK(result.status == 1);
    CHECK(contains(result.err, "translate: standard output: cannot be written (No space left"));
  }
  CHECK(std::filesystem::exists(folder() / "r.json"));
  CHECK(std::filesystem::exists(folder() / "a.svg"));
  CHECK(run(folder(), train + "--epochs 1 --model n --report n.json > /dev/full").status == 1);
  CHECK(std::filesystem::exists(folder() / "n"));
  CHECK(std::filesystem::exists(folder() / "n.json"));
}

TEST_CASE("step says by its status that its output is lost") {
  for (const std::string command :
       {"$step 1 < script", "$step 1 --commands script", "$step --help"}) {
    write(folder() / "script", "next\nnext\nprint y\n");
    const Result result = run(folder(), command + " > /dev/full");
    CHECK(result.status == 1);
    CHECK(contains(result.err, "step: standard output: cannot be written (No space left"));
    CHECK(run(folder(), command + full).status == 0);
    CHECK(run(folder(), command + closed).status == 0);
  }
  CHECK(run(folder(), "yes next | head -100000 | $step 1 | head -1").err == "");
}
