// The kind: a number on the command line that is not the number that was meant, or has no bound.

#include <doctest/doctest.h>

#include "tests/program.h"
#include "tests/translate/toy.h"

using namespace gradus::testing;
using namespace gradus::translate;

namespace {

constexpr const char* train =
    "$translate train --train pairs.tsv --valid pairs.tsv --epochs 1 --min-count 1 --threads 1 "
    "--embedding 8 --hidden 8 --model ";

/// A folder with pairs.tsv, and a model trained on it.
const Folder& folder() {
  static const Folder made;
  static const bool is_ready = [] {
    std::string text;
    for (const Pair& pair : toy::pairs()) text += pair.source + "\t" + pair.target + "\n";
    write(made / "pairs.tsv", text);
    return run(made, std::string(train) + "model").status == 0;
  }();
  REQUIRE(is_ready);
  return made;
}

std::string refusal(const std::string& command) {
  const Result result = run(folder(), command);
  CHECK(result.status > 0);
  return result.err;
}

}  // namespace

TEST_CASE("every option of a number says its bounds, and no other number is taken") {
  for (const std::string command : {"", "train", "text", "eval"}) {
    const std::string help = run(folder(), "$translate " + command + " --help").out;
    const bool trains = command.empty() || command == "train";
    const std::vector<std::string> options =
        trains ? std::vector<std::string>{"--epochs", "--seed",     "--threads",
                                          "--batch",  "--rate",     "--warm-up",
                                          "--clip",   "--patience", "--embedding",
                                          "--hidden", "--layers",   "--dropout",
                                          "--heads",  "--window",   "--label-smoothing",
                                          "--keep"}
               : std::vector<std::string>{"--beam",       "--length-penalty",
                                          "--no-repeat",  "--coverage-penalty",
                                          "--max-length", "--threads"};
    for (const std::string& option : options) {
      const size_t at = help.find("  " + option + " ");
      REQUIRE_MESSAGE(at != help.npos, option << " is not in: " << help);
      const std::string shown = help.substr(at + 2, help.find('\n', at) - at - 2);
      CAPTURE(shown);
      const bool is_integer = contains(shown, "INTEGER (");
      CHECK((is_integer || contains(shown, "NUMBER in ")));
      for (const std::string wrong :
           {"99999999999999999999999", "-1", "nan", "x", "", "1e400", "0x10", "1 2"}) {
        const std::string error =
            refusal("$translate " + command + " " + option + " '" + wrong + "' < /dev/null");
        CHECK_MESSAGE(contains(error, option), option << " " << wrong << ": " << error);
      }
      if (is_integer)
        CHECK(contains(refusal("$translate " + command + " " + option + " 1.5 < /dev/null"),
                       "expected an integer from "));
    }
  }
}

TEST_CASE("the bounds are those that the help shows") {
  CHECK(contains(refusal("$translate text --model model --beam 1001 < /dev/null"),
                 "--beam: expected an integer from 1 to 1000, got 1001"));
  CHECK(contains(refusal("$translate text --model model --beam 99999999999999999999 < /dev/null"),
                 "--beam: expected an integer from 1 to 1000, got 99999999999999999999"));
  CHECK(run(folder(), "echo I drink. | $translate text --model model --beam 1000").status == 0);
  CHECK(contains(refusal("$translate text --model model --length-penalty 101 < /dev/null"),
                 "expected a number in [0, 100], got 101"));
}

TEST_CASE("a seed is a decimal number of 64 bits") {
  const auto model_of = [&](const std::string& seed) {
    const Result result = run(folder(), train + ("seeded --seed " + seed));
    CHECK_MESSAGE(result.status == 0, result.err);
    return contents(folder() / "seeded");
  };
  const std::string ten = model_of("10");
  CHECK(model_of("010") == ten);
  CHECK(model_of("8") != ten);
  CHECK(model_of("18446744073709551615") != model_of("18446744073709551614"));
  CHECK(contains(refusal(train + std::string("seeded --seed 18446744073709551616")),
                 "--seed: expected an integer from 0 to 18446744073709551615"));
}

TEST_CASE("a model that does not fit into the memory is refused in words before it is made") {
  for (const char* size : {"--hidden 65536", "--embedding 65536 --hidden 60000",
                           "--architecture transformer --hidden 65536 --layers 64"}) {
    const std::string error = refusal(
        std::string("$translate train --train pairs.tsv --valid pairs.tsv --model large ") + size);
    CHECK_MESSAGE(contains(error, "GiB in training; this computer has "), error);
  }
  CHECK(contains(refusal(train + std::string("large --layers 65")),
                 "--layers: expected an integer from 1 to 64, got 65"));
}

TEST_CASE("the number of parameters is known before they are made") {
  for (const bool bidirectional : {false, true})
    for (const bool input_feeding : {false, true})
      for (const auto& kind : attentions) {
        const ModelOptions o{.embedding = 6,
                             .hidden = 8,
                             .layers = 3,
                             .bidirectional = bidirectional,
                             .attention = kind.second,
                             .input_feeding = input_feeding};
        Trained trained = toy::untrained(toy::pairs(), o);
        CHECK(planned_parameter_count(trained.source.size(), trained.target.size(), o) ==
              gradus::parameter_count(trained.model));
      }
  for (const bool norm_first : {false, true}) {
    const ModelOptions o{.hidden = 8,
                         .layers = 2,
                         .architecture = Architecture::transformer,
                         .heads = 2,
                         .norm_first = norm_first};
    Trained trained = toy::untrained(toy::pairs(), o);
    CHECK(planned_parameter_count(trained.source.size(), trained.target.size(), o) ==
          gradus::parameter_count(trained.model));
  }
  for (const Tied tied : {Tied::output, Tied::all}) {
    const ModelOptions o{
        .hidden = 8, .architecture = Architecture::transformer, .heads = 2, .tied = tied};
    gradus::Generator generator(1);
    Translator model(20, 20, o, generator);
    CHECK(planned_parameter_count(20, 20, o) == gradus::parameter_count(model));
  }
  for (const int layers : {1, 2, 4}) {
    const ModelOptions o{
        .embedding = 6, .hidden = 8, .layers = layers, .architecture = Architecture::gnmt};
    Trained trained = toy::untrained(toy::pairs(), o);
    CHECK(planned_parameter_count(trained.source.size(), trained.target.size(), o) ==
          gradus::parameter_count(trained.model));
  }
}
