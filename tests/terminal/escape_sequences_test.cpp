// The kind: text from a file reaches the terminal as control characters.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "core/core.h"
#include "core/files/safetensors.h"
#include "examples/step/line_editor.h"
#include "examples/terminal/display_width.h"
#include "examples/terminal/output.h"
#include "tests/program.h"
#include "tests/translate/toy.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

/// Sequences that colour, ring, rename the window, delete, and turn the text round.
const std::vector<std::string> hostile{"\x1b[31m",  "\a",     "\x1b]0;title\a", "\x7f",
                                       "\u009b31m", "\u202e", "\u2066",         "\u200f",
                                       "\x08",      "\u061c", "\u0085",         "\x9b"};
const std::string everything = [] {
  std::string text = "a";
  for (const std::string& each : hostile) text += each + "b";
  return text;
}();

/// Whether a terminal shows the text and obeys nothing in it but line ends.
bool is_harmless(const std::string& text) {
  return terminal::printable_lines(text) == text && text.find('\x1b') == text.npos;
}

/// What a command prints on a terminal, where both its outputs are.
std::string on_terminal(const Folder& folder, const std::string& command) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE(::grantpt(terminal) == 0);
  REQUIRE(::unlockpt(terminal) == 0);
  const std::string name = ::ptsname(terminal);
  // Kept open, so that what is left can be read when the command has ended.
  const int kept = ::open(name.c_str(), O_RDWR | O_NOCTTY);
  const pid_t child = ::fork();
  if (child == 0) {
    run(folder, "TERM=xterm; export TERM; { " + command + "; } < /dev/null > " + name + " 2>&1");
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  ::fcntl(terminal, F_SETFL, O_NONBLOCK);
  std::string text;
  char buffer[4096];
  for (ssize_t count; (count = ::read(terminal, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(count));
  ::close(kept);
  ::close(terminal);
  std::erase(text, '\r');  // the terminal's own
  return text;
}

}  // namespace

TEST_CASE("nothing that controls a terminal is printable") {
  for (const std::string& each : hostile) {
    CAPTURE(each);
    CHECK(contains(terminal::printable(each), "\uFFFD"));
    CHECK(is_harmless(terminal::printable("x" + each + "y")));
  }
  CHECK(terminal::printable_lines("a\x1b\nb\n\nc") == "a\uFFFD\nb\n\nc");
  CHECK(terminal::printable("é 好 👨‍👩‍👧 −∞") ==
        "é 好 👨‍👩‍👧 −∞");
}

TEST_CASE("errors about a model's file show its names without their escape sequences") {
  const Folder folder;
  translate::Trained trained =
      translate::toy::untrained(translate::toy::pairs(), {.embedding = 4, .hidden = 4});
  const TensorFile good{named_tensors(trained.model), describe(trained)};
  const std::string escaped = "\\u001b]0;x\\u0007\\u202e\\u009b";  // as JSON
  TensorFile architecture = good, tensor = good, vocabulary = good;
  architecture.metadata["options"].replace(architecture.metadata["options"].find("lstm"), 4,
                                           escaped);
  tensor.tensors["extra\x1b[31m\u202e"] = ones({1});
  vocabulary.metadata["source_vocabulary"] =
      R"({"unit": "words", "tokens": ["<pad>", "<bos>", "<eos>", ")" + escaped + "\", \"a\"]}";
  save_tensors(folder / "architecture", architecture);
  save_tensors(folder / "tensor", tensor);
  save_tensors(folder / "vocabulary", vocabulary);
  save_tensors(folder / ("path\x1b[31m\u202e"), architecture);
  for (const std::string file : {"architecture", "tensor", "vocabulary", "path*", "none\x1b[31m"}) {
    const Result result = run(folder, "echo tea | $translate text --model " + file);
    CHECK(result.status == 1);
    CHECK_MESSAGE(is_harmless(result.err), file);
    CHECK_MESSAGE(contains(result.err, "\uFFFD"), result.err);
  }
  CHECK(is_harmless(run(folder, "$translate text --model m '" + everything + "'").err));
  CHECK(is_harmless(run(folder, "$step '" + everything + "'").err));
}

TEST_CASE("a translation is shown without escape sequences on a terminal, and piped as it is") {
  const Folder folder;
  const std::string target = "\x1b[31m\u202e";
  const translate::Vocabulary words({{"tea"}}, translate::Unit::words, 1),
      characters({{target}}, translate::Unit::characters, 1);
  Generator generator(1);
  translate::Translator model(words.size(), characters.size(), {.embedding = 4, .hidden = 4},
                              generator);
  named_tensors(model).at("output.bias").mutable_span<float>()[4] = 100;  // the token, always
  translate::Trained trained{words, characters, model};
  translate::save(folder / "m", trained);
  const std::string command = "echo tea > in; $translate text --model m --max-length 2 < in";
  CHECK(run(folder, command).out == target + target + "\n");
  const std::string shown = on_terminal(folder, command);
  CHECK_MESSAGE(is_harmless(shown), shown);
  CHECK(contains(shown, "\uFFFD[31m"));
  CHECK(is_harmless(on_terminal(folder, "$translate attention --model m tea")));
}

TEST_CASE("the stepper shows a trace's names without their escape sequences") {
  const Folder folder;
  Trace trace;
  {
    const auto recording = trace.record();
    const Tensor x = full({2}, 0.5).require_grad();
    x.set_name("layer" + everything + ".weight" + everything);
    sum(tanh(x)).backward();
  }
  trace.keys = trace.queries = {everything};
  trace.save(folder / "t");
  write(folder / "script",
        "next\nwhere\nlist\ntree\ntree layer\ngraph\nformula 0\nprint\nprint weight\nback\n"
        "go 0 backward\nbreakpoint parameter x\nbreakpoint layer y\ncheck\nprovenance 0[0]\n"
        "print wei\ncompare t\nopen t\n" +
            everything + "\nuntil " + everything + "\ncompare " + everything + "\n");
  for (const std::string command : {"$step t < script", "$step t --commands script"})
    CHECK(is_harmless(run(folder, command).out));
  step::Session session(Trace::load(folder / "t"));
  for (const std::string line : {"print ", "tree ", "breakpoint parameter ", "go "})
    for (const std::string& completion : session.completions(line)) CHECK(is_harmless(completion));
}
