#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/program.h"
#include "tests/translate/toy.h"

using namespace gradus::testing;
using namespace gradus::translate;
using nlohmann::json;

namespace {

constexpr const char* small =
    " --embedding 16 --hidden 24 --batch 4 --rate 0.02 --min-count 1 --threads 1 ";

std::string pairs_file() {
  std::string text;
  for (const Pair& pair : toy::pairs()) text += pair.source + "\t" + pair.target + "\tignored\n";
  return text;
}

/// A model that the program trained on pairs.tsv, in model; report.json tells of it.
const Folder& trained() {
  static const Folder folder;
  static const Result result = [] {
    write(folder / "pairs.tsv", pairs_file());
    return run(folder,
               std::string("$translate train --train pairs.tsv --valid pairs.tsv --epochs 20 "
                           "--model model --report report.json") +
                   small);
  }();
  REQUIRE_MESSAGE(result.status == 0, result.err);
  return folder;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// It failed, said so on stderr with all of `parts`, and printed nothing.
void check_refused(const Result& result, const std::vector<std::string>& parts) {
  CHECK(result.status > 0);
  CHECK(result.out == "");
  for (const std::string& part : parts)
    CHECK_MESSAGE(contains(result.err, part), part << " is not in: " << result.err);
}

Result text(const std::string& input, const std::string& options = "") {
  write(trained() / "input", input);
  return run(trained(), "$translate text --model model " + options + " < input");
}

}  // namespace

TEST_CASE("text prints a translation a line and nothing else") {
  const Result result = text("I drink tea.\nThey eat rice today.\n");
  CHECK(result.status == 0);
  CHECK(result.err == "");
  const Trained model = load(trained() / "model");
  const auto expected = translate_texts(model, {"I drink tea.", "They eat rice today."});
  CHECK(result.out == model.target.decode_text(expected[0][0].ids) + "\n" +
                          model.target.decode_text(expected[1][0].ids) + "\n");
}

TEST_CASE("text takes empty lines, unknown words, CRLF, a byte-order mark, no final newline") {
  const std::string clean = text("I drink tea.\n").out;
  CHECK(text("").out == "");
  CHECK(text("").status == 0);
  CHECK(text("\n\n").out == "\n\n");
  CHECK(text("I drink tea.").out == clean);
  CHECK(text("I drink tea.\r\n\r\n").out == clean + "\n");
  CHECK(text("\xEF\xBB\xBFI drink tea.\n").out == clean);
  const Result unknown = text("Zebras juggle xylophones\n \t \nI drink tea.\n");
  CHECK(unknown.status == 0);
  CHECK(lines_of(unknown.out).size() == 3);
  CHECK(lines_of(unknown.out)[1] == "");
  CHECK(lines_of(unknown.out)[2] + "\n" == clean);
}

TEST_CASE("text warns of a line of invalid UTF-8 and leaves it empty") {
  const std::string clean = text("I drink tea.\n").out;
  const Result result = text("I drink tea.\nI \xff drink\nI drink tea.\n");
  CHECK(result.status == 0);
  CHECK(result.out == clean + "\n" + clean);
  CHECK(contains(result.err, "line 2: invalid UTF-8"));
}

TEST_CASE("text translates a line of 10,000 tokens among others") {
  const std::string clean = text("I drink tea.\n").out;
  std::string input;
  for (int i = 0; i < 60; ++i) input += "I drink tea.\n";
  for (int i = 0; i < 10'000; ++i) input += "tea ";
  const Result result = text(input + "\nI drink tea.\n");
  CHECK(result.status == 0);
  const auto lines = lines_of(result.out);
  REQUIRE(lines.size() == 62);
  CHECK(lines[61] + "\n" == clean);
}

TEST_CASE(
    "text with --n-best gives every hypothesis with its score, best first, then a blank line") {
  const Result result = text("I drink tea.\n\n", "--beam 3 --n-best --length-penalty 0.6");
  const auto lines = lines_of(result.out);
  REQUIRE(lines.size() == 6);
  CHECK(std::stod(lines[0]) >= std::stod(lines[1]));
  CHECK(std::stod(lines[1]) >= std::stod(lines[2]));
  CHECK(contains(lines[0], "\t"));
  CHECK(lines[3] == "");
  CHECK(lines[4] == "0.0000\t");
  CHECK(lines[5] == "");
  CHECK(lines_of(text("I drink tea.\n", "--beam 3").out).size() == 1);
}

TEST_CASE("text answers each line before the next one comes") {
  const Result result = run(trained(), R"(mkfifo lines translations
    $translate text --model model < lines > translations & pid=$!
    exec 3> lines 4< translations
    for i in 1 2 3; do echo 'I drink tea.' >&3; read -r line <&4; echo "$i $line"; done
    exec 3>&-
    wait $pid; echo "status $?"; rm lines translations)");
  const std::string clean = text("I drink tea.\n").out;
  CHECK(result.out == "1 " + clean + "2 " + clean + "3 " + clean + "status 0\n");
}

TEST_CASE("text ends quietly when nobody reads any more, and says when the disk is full") {
  const Result closed =
      run(trained(), "yes 'I drink tea.' | head -20000 | $translate text --model model | head -1");
  CHECK(closed.out == text("I drink tea.\n").out);
  CHECK(closed.err == "");
  const Result full =
      run(trained(), "echo 'I drink tea.' | $translate text --model model > /dev/full");
  check_refused(full, {"translate: ", "No space left"});
  check_refused(run(trained(), "$translate text --model model < ."), {"standard input"});
}

TEST_CASE("eval gives the figures of the report") {
  const Result result =
      run(trained(), "$translate eval --model model --data pairs.tsv --report eval.json");
  CHECK(result.status == 0);
  const json trained_report = json::parse(contents(trained() / "report.json"));
  const json eval_report = json::parse(contents(trained() / "eval.json"));
  CHECK(trained_report.size() == 21);  // an entry per epoch and the end
  for (const char* figure : {"valid_loss", "bleu", "chrf", "exact_match"})
    CHECK(eval_report.back().at(figure) == trained_report.back().at(figure));
  for (const char* figure : {"loss", "seconds", "tokens_per_second", "peak_memory_mib"}) {
    CHECK(trained_report.front().at(figure) > 0);
    CHECK(trained_report.back().at(figure) > 0);
  }
  const int best = trained_report.back().at("best_epoch");
  CHECK(trained_report.at(static_cast<size_t>(best) - 1).at("bleu") ==
        trained_report.back().at("bleu"));
}

TEST_CASE("attention draws a row per target token in the terminal and as SVG") {
  const Result result =
      run(trained(), "$translate attention --model model --svg a.svg 'I drink <tea> & \"rice\".'");
  CHECK(result.status == 0);
  CHECK(contains(result.out, "tea"));
  const std::string svg = contents(trained() / "a.svg");
  CHECK(svg.starts_with("<svg"));
  CHECK(contains(svg, "&lt;"));
  CHECK(contains(svg, "&amp;"));
  // Every element that is opened is closed, in order.
  std::vector<std::string> open;
  for (size_t at = svg.find('<'); at != svg.npos; at = svg.find('<', at + 1)) {
    const size_t end = svg.find('>', at);
    REQUIRE(end != svg.npos);
    const std::string tag = svg.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" /\n", 1));
    if (tag[0] == '/') {
      REQUIRE_FALSE(open.empty());
      CHECK("/" + open.back() == name);
      open.pop_back();
    } else if (tag.back() != '/' && tag[0] != '?' && tag[0] != '!') {
      open.push_back(name);
    }
  }
  CHECK(open.empty());
  check_refused(run(trained(), "$translate attention --model model ' '"), {"empty"});
  check_refused(run(trained(), "$translate attention --model model \"$(printf '\\377')\""),
                {"UTF-8"});
}

TEST_CASE("training data that cannot be used are refused by name") {
  const Folder folder;
  write(folder / "good.tsv", pairs_file());
  auto train_on = [&](const std::string& file, const std::string& options = "") {
    return run(folder, "$translate train --train " + file +
                           " --valid good.tsv --epochs 1 --model m " + options);
  };
  auto train_with = [&](const std::string& contents, const std::string& options = "") {
    write(folder / "data.tsv", contents);
    return train_on("data.tsv", options);
  };
  check_refused(train_with(""), {"data.tsv: is empty", "a tab and its translation"});
  check_refused(train_on("missing.tsv"), {"missing.tsv: cannot be opened", "check the path"});
  check_refused(train_on("."), {".: is a folder", "expected a UTF-8 text file"});
  check_refused(train_with("one column\nonly\n"), {"data.tsv: no usable pair", "without a tab"});
  check_refused(train_with("a\tb\n"), {"data.tsv: source vocabulary", "--min-count"});
  check_refused(train_with(pairs_file(), "--max-source 2"),
                {"data.tsv: no pair is within --max-source 2", "raise"});
  check_refused(run(folder, "$translate train --train good.tsv --valid no.tsv --model m"),
                {"no.tsv: cannot be opened"});
  check_refused(run(trained(), "$translate eval --model model --data no.tsv"),
                {"no.tsv: cannot be opened"});
  CHECK_FALSE(std::filesystem::exists(folder / "m"));
}

TEST_CASE("lines that cannot be used are counted, and the rest is learned") {
  const Folder folder;
  std::string noisy = "\xEF\xBB\xBF";
  for (const std::string& line : lines_of(pairs_file())) noisy += line + "\r\n";
  std::string very_long;
  for (int i = 0; i < 10'000; ++i) very_long += "tea ";
  write(folder / "good.tsv", pairs_file());
  write(folder / "noisy.tsv",
        noisy + "no tab\r\n\r\nI \xff\t我\r\nno target\t\r\n" + very_long + "\t茶\r\n");
  const std::string options = std::string(" --valid good.tsv --epochs 2 --model ") + "m" + small;
  const Result result = run(folder, "$translate train --train noisy.tsv" + options);
  CHECK(result.status == 0);
  CHECK(contains(result.err, "noisy.tsv: skipped 1 line without a tab, the first at line 41"));
  CHECK(contains(result.err, "1 line of invalid UTF-8, the first at line 43"));
  CHECK(contains(result.err, "noisy.tsv: skipped 1 pair longer than --max-source 100"));
  const std::string model = contents(folder / "m");
  CHECK(run(folder, "$translate train --train good.tsv" + options).err == "");
  CHECK(model == contents(folder / "m"));
}

TEST_CASE("a vocabulary of one word is learned") {
  const Folder folder;
  write(folder / "one.tsv", "tea\t茶\n");
  const Result result = run(folder, std::string("$translate train --train one.tsv --valid one.tsv "
                                                "--epochs 60 --model m") +
                                        small + "&& echo tea | $translate text --model m");
  CHECK(result.status == 0);
  CHECK(lines_of(result.out).back() == "茶");
}

TEST_CASE("options that make no sense are refused by name") {
  const std::string train = "$translate train --train pairs.tsv --valid pairs.tsv --model new ";
  for (const char* option :
       {"--epochs -1",        "--epochs 0",    "--epochs x",         "--batch 0",
        "--rate -0.1",        "--rate nan",    "--clip 0",           "--hidden -5",
        "--dropout 1",        "--threads -2",  "--seed -1",          "--patience 0",
        "--max-source -1",    "--min-count 0", "--attention cosine", "--source-unit bytes",
        "--architecture rnn", "--heads 0",     "--window 0",         "--label-smoothing 1",
        "--warm-up -1"}) {
    const std::string name(option, std::string(option).find(' '));
    check_refused(run(trained(), train + option), {name});
  }
  check_refused(run(trained(), train + "--colour red"), {"--colour"});
  check_refused(run(trained(), "$translate fly"), {"fly"});
  check_refused(run(trained(), "$translate train"), {"--train is required"});
  check_refused(run(trained(), "$translate --seed 2 eval --model model --data pairs.tsv"),
                {"options come after the command"});
  check_refused(run(trained(), train + "--bidirectional --hidden 7"), {"even hidden size"});
  check_refused(run(trained(), train + "--attention multi-head --heads 3 --hidden 8"),
                {"expected heads that divide the size 8 (1, 2, 4, 8), got 3"});
  check_refused(run(trained(), train + "--architecture transformer --attention additive"),
                {"--attention additive is an option of --architecture lstm"});
  check_refused(run(trained(), train + "--model transformer --window 3"),
                {"--window is an option of --architecture lstm"});
  check_refused(run(trained(), train + "--norm-last"),
                {"--norm-last is an option of --architecture transformer"});
  for (const char* option :
       {"--beam 0", "--beam -1", "--length-penalty -1", "--coverage-penalty -1", "--max-length 0"})
    check_refused(
        run(trained(), std::string("$translate text --model model < pairs.tsv ") + option),
        {std::string(option, std::string(option).find(' '))});
}

TEST_CASE("the word transformer after --model chooses the architecture, which all commands take") {
  const Folder folder;
  write(folder / "pairs.tsv", pairs_file());
  const Result result = run(folder, R"($translate train --train pairs.tsv --valid pairs.tsv \
    --model transformer --model file --hidden 32 --batch 4 --rate 0.005 --warm-up 40 \
    --epochs 25 --min-count 1 --threads 1 > log &&
    echo 'I drink tea.' | $translate text --model file --beam 3 --coverage-penalty 0.2 &&
    $translate eval --model file --data pairs.tsv && $translate attention --model file 'We read.')");
  CHECK_MESSAGE(result.status == 0, result.err);
  CHECK(lines_of(result.out).at(0) == "我喝茶。");
  CHECK(contains(result.out, "exact match 100.00 %"));
  CHECK_FALSE(std::filesystem::exists(folder / "transformer"));
}

TEST_CASE("what is not a model is refused by name") {
  const Folder& folder = trained();
  const std::string model = contents(folder / "model");
  write(folder / "cut", model.substr(0, model.size() / 2));
  for (const std::string name : {"cut", "pairs.tsv", "missing", "."}) {
    check_refused(run(folder, "echo tea | $translate text --model " + name), {name + ": "});
    check_refused(run(folder, "$translate eval --data pairs.tsv --model " + name), {name + ": "});
    check_refused(run(folder, "$translate attention tea --model " + name), {name + ": "});
  }
}

TEST_CASE("a place that cannot be written is refused before training, by name") {
  const Folder& folder = trained();
  const std::string train = "$translate train --train pairs.tsv --valid pairs.tsv ";
  check_refused(run(folder, train + "--model ."), {".: is a folder"});
  check_refused(run(folder, train + "--model pairs.tsv/m"), {"pairs.tsv/m: "});
  check_refused(run(folder, train + "--model m --report pairs.tsv/r"), {"pairs.tsv/r: "});
}

TEST_CASE("a full disk ends training with an error, and the earlier model stays whole") {
  const Folder& folder = trained();
  const std::string before = contents(folder / "model");
  write(folder / "kept", before);
  // Files of at most 8 blocks of 512 bytes: less than a model.
  const Result result =
      run(folder, std::string("ulimit -f 8; trap '' XFSZ; $translate train --train pairs.tsv "
                              "--valid pairs.tsv --epochs 1 --model kept") +
                      small);
  CHECK(result.status == 1);
  CHECK(contains(result.err, "cannot write kept.checkpoint: "));
  CHECK(contents(folder / "kept") == before);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path))
    CHECK_FALSE(contains(entry.path().filename().string(), "tmp"));
}

TEST_CASE("an interrupted training says how to continue, and continues to the same bits") {
  const Folder folder;
  write(folder / "pairs.tsv", pairs_file());
  const std::string train = std::string("$translate train --train pairs.tsv --valid pairs.tsv ") +
                            "--epochs 60 --patience 60 --dropout 0.2 " + small;
  const Result whole = run(folder, train + "--model whole --report whole.json");
  REQUIRE(whole.status == 0);
  const Result stopped = run_and_interrupt(folder, train + "--model parts");
  CHECK(stopped.status == 130);
  CHECK(contains(stopped.err, "parts.checkpoint: the same command with --resume continues"));
  CHECK(lines_of(contents(folder / "log")).size() < 60);
  const Result resumed = run(folder, train + "--model parts --resume --report parts.json");
  CHECK(resumed.status == 0);
  CHECK(contents(folder / "whole") == contents(folder / "parts"));
  const json a = json::parse(contents(folder / "whole.json"));
  const json b = json::parse(contents(folder / "parts.json"));
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i)
    for (const char* figure : {"loss", "valid_loss", "bleu", "chrf", "exact_match"})
      CHECK(a[i].at(figure) == b[i].at(figure));

  const Result other = run(folder, train + "--model parts --resume --layers 2 --seed 3");
  CHECK(other.status == 1);
  CHECK(contains(other.err, "parts.checkpoint: "));
  CHECK(contains(other.err, "layers: 1 in the checkpoint, 2 now"));
  CHECK(contains(other.err, "seed: 1 in the checkpoint, 3 now"));
}

TEST_CASE("training continues when the reader of its progress exits") {
  const Folder folder;
  write(folder / "pairs.tsv", pairs_file());
  run(folder, std::string("$translate train --train pairs.tsv --valid pairs.tsv --epochs 5 "
                          "--report r.json --model m") +
                  small + "| head -1");
  CHECK(std::filesystem::exists(folder / "m"));
  CHECK(json::parse(contents(folder / "r.json")).size() == 6);
}
