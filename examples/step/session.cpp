#include "examples/step/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/tensor/error.h"
#include "examples/step/views.h"
#include "examples/terminal/display_width.h"

namespace gradus::step {

using terminal::printable;

Session::Session(Trace trace, Screen screen, Library library)
    : screen_(screen), library_(std::move(library)) {
  turn_to(std::move(trace));
}

Opened open_file(const std::string& path) {
  Trace trace = Trace::load(path);
  std::string title = said("{}: {} nodes. 'next' steps, 'help' lists the commands.\n",
                           printable(path), trace.size());
  return {std::move(trace), std::move(title)};
}

void Session::turn_to(Trace trace) {
  std::optional<Place> place;
  if (at_ >= 0) place = here();
  trace_ = std::move(trace);
  places_ = places_of(trace_);
  at_ = -1;
  if (place)
    if (const auto same = std::ranges::find(places_, *place); same != places_.end())
      at_ = same - places_.begin();
}

const Place& Session::here() const {
  if (at_ < 0)
    throw Error(
        said("the forward pass has not begun: 'next' begins it; or name a node: 'print 4.y'"));
  return places_[static_cast<size_t>(at_)];
}

std::string Session::show_place() const { return place_view(trace_, here(), screen_); }

enum class Argument { none, condition, node, command, layer, file, lesson };

struct Session::Command {
  const char *name, *arguments, *summary;
  const char* details;
  const char* example;
  std::string (Session::*run)(const std::string&);
  Argument argument = Argument::none;
  bool is_move = false;
};

const std::vector<Session::Command>& Session::commands() {
  static const std::vector<Command> list{
      // clang-format off
    {"next", "[COUNT]", "the next step; forward, then backward",
     "Each step of the forward pass shows one op; parameters and constants are shown where ops\n"
     "read them. The backward pass then goes through the nodes from the last to the first, and\n"
     "ends at the parameters.\n"
     "An empty line repeats the last move.",
     "next 3", &Session::next, Argument::none, true},
    {"back", "[COUNT]", "the step before", "Also from the backward pass into the forward pass.",
     "back", &Session::back, Argument::none, true},
    {"continue", "", "on to a breakpoint, or the end of the pass", "", "continue",
     &Session::go_on, Argument::none, true},
    {"until", "WHERE", "on to the next place of this kind",
     "WHERE is the same as for breakpoint. Looks ahead from here, first in this pass.",
     "until op softmax", &Session::until, Argument::condition, true},
    {"go", "NODE [backward]", "to a node, in this pass or in the backward pass",
     "'go start' goes back to where everything began.", "go 4 backward", &Session::go,
     Argument::node},
    {"breakpoint", "[WHERE]", "stop 'continue' there, or list breakpoints",
     "WHERE is one test, or several joined by 'and':\n"
     "  12                         this node\n"
     "  op NAME                    this op\n"
     "  layer NAME                 in this layer: decoder, decoder.attention, attention\n"
     "  parameter NAME             this parameter, and what reads it\n"
     "  time N                     this time step\n"
     "  forward, backward          only in this pass\n"
     "  nan                        NaN or an infinity begins here, in a value, or, backward, in\n"
     "                             what the op makes of a gradient\n"
     "  gradient > 10, value < 1   the norm is above or below the bound; so are gradient.max,\n"
     "                             .min, .mean, .zeros and the same of value; NaN is neither\n"
     "  wrong                      'check' found that the gradient rule is wrong",
     "breakpoint op tanh and gradient < 0.01", &Session::breakpoint, Argument::condition},
    {"delete", "NUMBER | all", "take a breakpoint away", "", "delete 1", &Session::remove},
    {"where", "", "all details: users, what is kept, source lines",
     "Also for which nodes' derivatives the backward pass keeps this value.",
     "where", &Session::where},
    {"print", "[WHAT]", "the numbers of a tensor or of a part of it",
     "WHAT is what the formula calls it, at this node or after a node's number and a dot:\n"
     "  y  the value            a, b, c … (x if there is only one)   the inputs\n"
     "  g  dL/dy                da, db, dc … (dx)                    what goes back to the inputs\n"
     "  weight   weight.g       a parameter, its gradient\n"
     "  tanh 5   decoder        an op, the last op of a layer\n"
     "and may be sliced: y[0], g[:, 2:5], 12.da[-1, ::2].",
     "print 4.g[0, :]", &Session::print, Argument::node},
    {"formula", "[NODE]", "formula, derivatives, what letters mean", "",
     "formula 4", &Session::formula, Argument::node},
    {"into", "[NODE]", "open an op: the simpler ops that define it",
     "softmax, an LSTM's recurrence, layer norm, cross entropy, attention in tiles, a Dense layer's\n"
     "product: from the same inputs and the same gradient, with formulas, numbers and rules. All\n"
     "commands work in there, also into; the letters are the inputs. 'out' closes it again.",
     "into 2", &Session::into, Argument::node},
    {"out", "", "close what into opened, and compare the two", "", "out", &Session::out},
    {"list", "[FROM [TO]]", "a line per node: op, shape, norms, layer", "",
     "list 0 20", &Session::list, Argument::node},
    {"tree", "[LAYER]", "layers and parameters; of one also its ops", "",
     "tree attention", &Session::tree, Argument::layer},
    {"graph", "[NODE [DEPTH]]", "what a node is made of and what uses it", "", "graph 4 2",
     &Session::graph, Argument::node},
    {"attention", "[LAYER]", "what each query attended to, as a map",
     "A row per query (a time step of a decoder), a column per key.", "attention",
     &Session::attention, Argument::layer},
    {"check", "[NODE | all]", "is the gradient rule right? by differences",
     "Compares the rule with differences of the op's own computation, in float64, on the recorded\n"
     "inputs. ✓ it agrees, ✗ it does not, ∞ the values are not finite, ? it cannot run again.\n"
     "A trace file has the verdicts that it was saved with. Ctrl-C stops 'check all'.",
     "check all", &Session::check, Argument::node},
    {"doctor", "", "what ails the gradients? on one screen",
     "The norm of the gradient at each layer's output, by time step; where NaN or an infinity\n"
     "begins; where only zeros go on (a dead ReLU, a mask); parameters without a gradient; and\n"
     "'check all', which Ctrl-C cuts short.",
     "doctor", &Session::doctor},
    {"provenance", "WHAT[INDEX]", "which nodes one element of a gradient came from",
     "The element is the sum of what each node that used it sent back, largest first. WHAT is as\n"
     "in print: a parameter, an attention weight, any value.",
     "provenance weight", &Session::provenance, Argument::node},
    {"set", "WHAT = NUMBER", "what if a value, or a part of it, were different?",
     "Runs all later ops and the backward pass again with it, and shows what has changed. Only\n"
     "in the program that recorded: a trace file holds numbers, but not the ops' computations.\n"
     "WHAT is as in print, with a slice: set 4.y[0, :] = 0. 'undo' goes back; 'compare all' lists\n"
     "all that has changed.",
     "set weight = 0.5", &Session::set, Argument::node},
    {"undo", "", "take the last 'set' back", "", "undo", &Session::undo},
    {"compare", "[FILE] [within T]", "what differs from another trace, in order",
     "Without FILE: from what was before the last 'set'. The first difference is where the two\n"
     "computations diverge; the others follow in the order of the passes, the first 16, or with\n"
     "'all' at the end all of them.\n"
     "Within T: only numbers that differ by more than T times the largest of their tensor.",
     "compare runs/step.trace within 1e-6", &Session::compare, Argument::file},
    {"save", "FILE", "keep the trace in a file", "", "save runs/step.trace",
     &Session::save, Argument::file},
    {"html", "FILE", "the trace as a page for the browser", "One file, which opens offline. After 'set' it also shows what has changed.",
     "html runs/step.html", &Session::html, Argument::file},
    {"open", "[LESSON | FILE]", "a lesson or a trace file, or list lessons", "",
     "open 2", &Session::open, Argument::lesson},
    {"help", "[COMMAND]", "all commands, or one of them", "", "help print", &Session::help,
     Argument::command},
    {"quit", "", "leave", "", "quit", &Session::quit},
      // clang-format on
  };
  return list;
}

/// A command by name or by its beginning; where several begin so, the first in the list.
const Session::Command& Session::find(const std::string& name) {
  for (const Command& command : commands())
    if (command.name == name) return command;
  for (const Command& command : commands())
    if (std::string_view(command.name).starts_with(name)) return command;
  // What other programs call it.
  static const std::map<std::string, std::string> others{
      {"exit", "quit"}, {"step", "next"},    {"show", "print"}, {"run", "continue"},
      {"load", "open"}, {"diff", "compare"}, {"ls", "list"},    {"?", "help"}};
  std::vector<std::string> names;
  for (const Command& command : commands()) names.push_back(command.name);
  const auto other = others.find(name);
  const std::string hint = other == others.end() ? did_you_mean(name, names)
                                                 : said("; did you mean '{}'?", other->second);
  throw Error(said("there is no command '{}'{}", printable(name),
                   hint.empty() ? said("; 'help' lists what there is") : hint));
}

std::string Session::run(std::string_view line) {
  std::string text(line);
  if (words_of(text).empty()) text = last_move_;
  const std::vector<std::string> words = words_of(text);
  if (words.empty()) return "";
  const Command& command = find(words[0]);
  const size_t begin = text.find(words[0]) + words[0].size();
  const size_t first = std::min(text.find_first_not_of(" \t", begin), text.size());
  const std::string arguments = text.substr(first, text.find_last_not_of(" \t\r") + 1 - first);
  if (!arguments.empty() && *command.arguments == '\0')
    throw Error(
        said("{}: expected nothing after it, got '{}'", command.name, printable(arguments)));
  const std::string output = (this->*command.run)(arguments);
  last_move_ = command.is_move ? text : "";
  return output;
}

std::string Session::help(const std::string& arguments) {
  if (!arguments.empty()) {
    const Command& c = find(words_of(arguments)[0]);
    const std::string title = screen_.bold(fmt::format("{} {}", c.name, c.arguments));
    std::string text = fmt::format("{}\n{}", title, indented(phrase(c.summary), 2));
    if (*c.details != '\0') text += fmt::format("\n{}", indented(phrase(c.details), 2));
    return text + said("\n  for instance: {}\n", c.example);
  }
  struct Group {
    const char *title, *first;
  };
  static constexpr Group groups[] = {{"Moving", "next"},
                                     {"Stopping", "breakpoint"},
                                     {"Looking", "where"},
                                     {"Judging and changing", "check"},
                                     {"Files and the rest", "save"}};
  std::string text;
  for (const Command& c : commands()) {
    for (const Group& group : groups)
      if (std::string_view(group.first) == c.name)
        text += fmt::format("{}{}\n", text.empty() ? "" : "\n", screen_.bold(phrase(group.title)));
    text += terminal::fit(fmt::format("  {:27} {}", fmt::format("{} {}", c.name, c.arguments),
                                      phrase(c.summary)),
                          screen_.width) +
            "\n";
  }
  return text +
         said(
             "\nCommands can be shortened: n for next, b for back, p for print. 'help print' tells "
             "more\nof one. Begin with next, and press return to go on.\n");
}

std::string Session::quit(const std::string&) {
  has_ended_ = true;
  return "";
}

std::vector<std::string> Session::completions(std::string_view line) const {
  const size_t begin = line.find_last_of(" \t") + 1;  // 0 where there is none
  const std::string word(line.substr(begin));
  const std::vector<std::string> before = words_of(line.substr(0, begin));
  std::vector<std::string> all;
  auto add = [&](const std::vector<std::string>& words) {
    all.insert(all.end(), words.begin(), words.end());
  };
  auto add_commands = [&] {
    for (const Command& command : commands()) all.push_back(command.name);
  };
  if (before.empty()) {
    add_commands();
  } else {
    Argument argument = Argument::none;
    try {
      argument = find(before[0]).argument;
    } catch (const Error&) {
    }
    const std::string& last = before.back();
    if (argument == Argument::command) add_commands();
    if (argument == Argument::node) add(names());
    if (argument == Argument::layer) add(layers_of(trace_));
    if (argument == Argument::condition) {
      if (last == "op")
        add(ops_of(trace_));
      else if (last == "layer")
        add(layers_of(trace_));
      else if (last == "parameter")
        add(parameters_of(trace_));
      else
        add({"op", "layer", "parameter", "time", "forward", "backward", "nan", "wrong", "gradient",
             "value", "and"});
    }
  }
  // What a file names may hold anything, and the terminal shows it as it is.
  std::erase_if(all, [&](const std::string& candidate) {
    return !candidate.starts_with(word) || printable(candidate) != candidate;
  });
  return all;
}

bool Session::completes_file(std::string_view line) const {
  const std::vector<std::string> words = words_of(line);
  if (words.empty() || line.find_first_of(" \t", line.find(words[0])) == line.npos) return false;
  try {
    const Argument argument = find(words[0]).argument;
    return argument == Argument::file || argument == Argument::lesson;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace gradus::step
