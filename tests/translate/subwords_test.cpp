// Translating with subwords, by the program.

#include <doctest/doctest.h>

#include <cctype>
#include <filesystem>
#include <map>

#include "tests/program.h"
#include "tests/translate/toy.h"

using namespace gradus::testing;
using namespace gradus::translate;

namespace {

const std::string train =
    "$translate train --train pairs.tsv --valid pairs.tsv --threads 1 --min-count 1 --batch 4 ";
const std::string subwords = "--source-unit subwords --target-unit subwords --subwords 60 ";
const std::string small = "--embedding 16 --hidden 24 --rate 0.02 --patience 30 ";

/// A folder with pairs.tsv, and a model that the program trained on it.
const Folder& folder() {
  static const Folder made;
  static const Result result = [] {
    std::string text;
    for (const Pair& pair : toy::pairs()) text += pair.source + "\t" + pair.target + "\n";
    write(made / "pairs.tsv", text);
    return run(made, train + subwords + small +
                         "--attention dot --bidirectional --epochs 20 --model model");
  }();
  REQUIRE_MESSAGE(result.status == 0, result.err);
  return made;
}

std::string refusal(const std::string& command) {
  const Result result = run(folder(), command);
  CHECK(result.status > 0);
  return result.err;
}

double bleu_of(const Result& result) {
  REQUIRE_MESSAGE(result.status == 0, result.err);
  return std::stod(result.out.substr(result.out.find("BLEU ") + 5));
}

}  // namespace

TEST_CASE("one file translates with subwords") {
  const Result result =
      run(folder(), "printf 'I drink tea.\\n\\n' | $translate text --model model");
  CHECK_MESSAGE(result.status == 0, result.err);
  CHECK(result.out.ends_with("。\n\n"));
  CHECK_FALSE(contains(result.out, "▁"));
  CHECK(bleu_of(run(folder(), "$translate eval --model model --data pairs.tsv")) > 50);
  const Result map = run(folder(), "$translate attention --model model 'I drink tea.'");
  CHECK(map.status == 0);
  CHECK(contains(load(folder() / "model").source.to_json(), "\"subwords\""));
}

TEST_CASE("both kinds of subwords, joint and apart, in the cases of both sides, are trained") {
  int number = 0;
  for (const std::string options :
       {"--subword-kind unigram", "--joint", "--joint --subword-kind unigram --lower-case",
        "--joint --architecture transformer --heads 2 --tie"}) {
    CAPTURE(options);
    const bool is_transformer = contains(options, "transformer");
    const std::string model = "model" + std::to_string(++number);
    const Result result =
        run(folder(), train + subwords + (is_transformer ? "--hidden 24 " : small) + options +
                          " --epochs 1 --model " + model);
    REQUIRE_MESSAGE(result.status == 0, result.err);
    const Trained loaded = load(folder() / model);
    CHECK((loaded.source.to_json() == loaded.target.to_json()) == contains(options, "--joint"));
    CHECK(loaded.target.lower_case() == contains(options, "--lower-case"));
    CHECK((loaded.model.options.tied == Tied::all) == is_transformer);
    CHECK(run(folder(), "echo tea | $translate text --model " + model).status == 0);
  }
}

TEST_CASE("a run with subwords that is resumed has the bits of one that was not stopped") {
  std::map<std::string, std::string> bits;
  for (const std::string dropout : {"0", "0.3"}) {
    CAPTURE(dropout);
    const std::string command = train + subwords + small + "--joint --subword-dropout " + dropout;
    const std::string whole = "whole" + dropout, part = "part" + dropout;
    REQUIRE(run(folder(), command + " --epochs 2 --model " + whole).status == 0);
    REQUIRE(run(folder(), command + " --epochs 1 --model " + part).status == 0);
    const Result resumed = run(folder(), command + " --epochs 2 --resume --model " + part);
    REQUIRE_MESSAGE(resumed.status == 0, resumed.err);
    bits[dropout] = contents(folder() / whole);
    CHECK(bits[dropout] == contents(folder() / part));
  }
  CHECK(load(folder() / "whole0.3").model.options.subword_dropout == 0.3);
  CHECK(bits["0"] != bits["0.3"]);
  const Result other =
      run(folder(), train + subwords + small + "--joint --epochs 3 --model part0.3 --resume");
  CHECK(other.status > 0);
  CHECK(contains(other.err, "subword_dropout"));
}

TEST_CASE("eval says by which tokens BLEU was measured") {
  const auto eval = [&](const std::string& options) {
    const Result result = run(folder(), "$translate eval --model model --data pairs.tsv" + options);
    CHECK_MESSAGE(result.status == 0, result.err);
    return result.out;
  };
  CHECK(contains(eval(""), " (char), chrF"));  // the target is Chinese
  for (const std::string name : {"none", "13a", "intl", "zh", "char"})
    CHECK(contains(eval(" --bleu " + name), " (" + name + "), chrF"));
  CHECK(contains(eval(" --bleu own"), ", chrF"));
  CHECK_FALSE(contains(eval(" --bleu own"), "(own)"));
  CHECK(contains(refusal("$translate eval --model model --data pairs.tsv --bleu 13b"), "--bleu"));
}

TEST_CASE("models are averaged and translate together") {
  const Result trained =
      run(folder(), train + subwords + small + "--epochs 3 --keep 2 --model kept.safetensors");
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  const std::string both = "--model kept.epoch2.safetensors --model kept.epoch3.safetensors ";
  const Result average = run(folder(), "$translate average " + both + "--output mean.safetensors");
  REQUIRE_MESSAGE(average.status == 0, average.err);
  CHECK(average.out == "the mean of 2 models is in mean.safetensors\n");
  CHECK(run(folder(), "echo tea | $translate text --model mean.safetensors").status == 0);
  CHECK(run(folder(), "echo tea | $translate text " + both + "--beam 3").status == 0);
  CHECK(run(folder(), "$translate eval --data pairs.tsv " + both).status == 0);
  CHECK(contains(refusal("$translate average " + both + "--output pairs.tsv"), "pairs.tsv"));
  CHECK(contains(refusal("$translate average " + both + "--output kept.epoch2.safetensors"),
                 "is the same file as"));
  CHECK(contains(refusal("echo tea | $translate text " + both + "--model none"), "none"));
}

TEST_CASE("options of subwords that do not fit are refused in words") {
  const std::string model = "--model refused ";
  for (const std::string option :
       {"--subwords 50", "--subword-kind bpe", "--lower-case", "--subword-dropout 0.1"})
    CHECK(contains(refusal(train + model + option),
                   option.substr(0, option.find(' ')) +
                       " is for subwords: give --source-unit subwords, --target-unit subwords"));
  CHECK(contains(refusal(train + model + "--joint --source-unit subwords"),
                 "--joint needs --source-unit subwords --target-unit subwords"));
  CHECK(contains(refusal(train + model + subwords + "--subword-kind unigram --subword-dropout 0.1"),
                 "--subword-dropout leaves out merges of BPE: give --subword-kind bpe"));
  CHECK(contains(refusal(train + model + subwords + "--subword-dropout 1"), "--subword-dropout"));
  CHECK(contains(refusal(train + model + "--source-unit subwords --subwords 12"),
                 "pairs.tsv: source subwords: a vocabulary of 12 has no room for the "));
  CHECK(contains(refusal(train + model + "--tie"),
                 "--tie is an option of --architecture transformer"));
  CHECK(contains(refusal(train + model + "--architecture gnmt --heads 2"),
                 "--heads is an option of --architecture lstm or transformer"));
  CHECK(
      contains(refusal(train + model + "--architecture gnmt --attention dot"),
               "--attention dot is an option of --architecture lstm; GNMT has additive attention"));
  CHECK(contains(refusal(train + model + "--target-unit pieces"), "--target-unit"));
  CHECK_FALSE(std::filesystem::exists(folder() / "refused"));
}

TEST_CASE("GNMT learns, and translates from its file") {
  const Result result =
      run(folder(), train + small + "--architecture gnmt --dropout 0 --epochs 30 --model ./gnmt");
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(bleu_of(run(folder(), "$translate eval --model gnmt --data pairs.tsv --beam 4")) > 90);
}

TEST_CASE("a word that no vocabulary holds is copied where that is asked for") {
  std::string text;
  for (const Pair& pair : toy::pairs()) text += pair.source + "\t" + pair.target + "\n";
  for (const std::string who : {"I\t我", "We\t我们", "They\t他们"})
    for (char letter = 'a'; letter <= 'z'; ++letter) {  // names that occur too rarely to be known
      const size_t tab = who.find('\t');
      text += who.substr(0, tab) + " drink x" + letter + "q.\t" + who.substr(tab + 1) + "喝" +
              static_cast<char>(std::toupper(letter)) + "。\n";
    }
  write(folder() / "names.tsv", text);
  const Result trained = run(
      folder(),
      "$translate train --train names.tsv --valid pairs.tsv --threads 1 --min-count 4 --batch 4 "
      "--attention dot --bidirectional --epochs 12 --model names " +
          small);
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  const std::string input = "echo 'I drink absinthe.' | $translate text --model names ";
  CHECK_FALSE(contains(run(folder(), input).out, "<unk>"));
  const std::string replaced = run(folder(), input + "--replace-unknown").out;
  CHECK_MESSAGE(contains(replaced, "absinthe"), replaced);
}
