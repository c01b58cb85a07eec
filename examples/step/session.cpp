#include "examples/step/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/error.h"
#include "core/provenance.h"
#include "core/verdict.h"
#include "examples/step/lessons.h"
#include "examples/step/page.h"
#include "examples/step/views.h"
#include "examples/translate/display_width.h"

namespace gradus::step {

using translate::printable;

// --- the commands -------------------------------------------------------------------------------

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
     "After the forward pass comes the backward pass. Steps are ops;\n"
     "parameters and constants are shown where ops read them. The backward pass goes through\n"
     "the same nodes from the last to the first, and ends at the parameters.\n"
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
     "  nan                        NaN or an infinity in a value, or, backward, in a gradient\n"
     "  gradient > 10, value < 1   the norm is above or below the bound; so are gradient.max,\n"
     "                             .min, .mean, .zeros and the same of value\n"
     "  wrong                      'check' found that the gradient rule is wrong",
     "breakpoint op tanh and gradient < 0.01", &Session::breakpoint, Argument::condition},
    {"delete", "NUMBER | all", "take a breakpoint away", "", "delete 1", &Session::remove},
    {"where", "", "this place, its users, the program's lines", "",
     "where", &Session::where},
    {"print", "[WHAT]", "the numbers of a tensor or of a part of it",
     "WHAT is what the formula calls it, at this node or after a node's number and a dot:\n"
     "  y  the value            a, b, c … (x if there is only one)   the inputs\n"
     "  g  dL/dy                da, db, dc … (dx)                    what goes back to the inputs\n"
     "  weight   weight.g       a parameter, its gradient\n"
     "and may be sliced: y[0], g[:, 2:5], 12.da[-1, ::2].",
     "print 4.g[0, :]", &Session::print, Argument::node},
    {"formula", "[NODE]", "formula, derivatives, what letters mean", "",
     "formula 4", &Session::formula, Argument::node},
    {"list", "[FROM [TO]]", "a line per node: op, shape, norms, layer", "",
     "list 0 20", &Session::list, Argument::node},
    {"tree", "[LAYER]", "layers and parameters; of one also its steps", "",
     "tree attention", &Session::tree, Argument::layer},
    {"graph", "[NODE [DEPTH]]", "what a node is made of and what uses it", "", "graph 4 2",
     &Session::graph, Argument::node},
    {"attention", "[LAYER]", "what each query attended to, as a map",
     "A row per query (a time step of a decoder), a column per key.", "attention",
     &Session::attention, Argument::layer},
    {"check", "[NODE | all]", "is the gradient rule right? by differences",
     "Compares the rule with differences of the op's own computation, in float64, on the recorded\n"
     "inputs. A trace file has the verdicts that it was saved with.",
     "check all", &Session::check, Argument::node},
    {"provenance", "WHAT[INDEX]", "which steps one element of a gradient came from",
     "The element is the sum of what each step that used it sent back, largest first. WHAT is as\n"
     "in print: a parameter, an attention weight, any value.",
     "provenance weight", &Session::provenance, Argument::node},
    {"set", "WHAT = NUMBER", "what if a value, or a part of it, were another?",
     "Runs all later steps and the backward pass again with it, and shows what has changed. Only\n"
     "in the program that recorded: a trace file holds numbers, but not the ops' computations.\n"
     "WHAT is as in print, with a slice: set 4.y[0, :] = 0. 'undo' goes back; 'compare' lists all.",
     "set weight = 0.5", &Session::set, Argument::node},
    {"undo", "", "as if the last 'set' had not been", "", "undo", &Session::undo},
    {"compare", "[FILE]", "what differs from another trace; first thing first",
     "Without FILE: from what was before the last 'set'. The first difference is where the two\n"
     "computations part; the others follow in the order of the passes.",
     "compare runs/step.trace", &Session::compare, Argument::file},
    {"save", "FILE", "keep the trace in a file", "", "save runs/step.trace",
     &Session::save, Argument::file},
    {"html", "FILE", "the trace as a page for the browser", "One file, which opens offline.",
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
  std::vector<std::string> names;
  for (const Command& command : commands()) names.push_back(command.name);
  const std::string hint = did_you_mean(name, names);
  throw Error(fmt::format("there is no command '{}'{}", printable(name),
                          hint.empty() ? "; 'help' lists what there is" : hint));
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
    throw Error(fmt::format("{} takes nothing after it, was given '{}'", command.name,
                            printable(arguments)));
  const std::string output = (this->*command.run)(arguments);
  last_move_ = command.is_move ? text : "";
  return output;
}

std::string Session::help(const std::string& arguments) {
  if (!arguments.empty()) {
    const Command& c = find(words_of(arguments)[0]);
    std::string text = screen_.bold(fmt::format("{} {}", c.name, c.arguments)) + "\n";
    text += indented(c.summary, 2);
    if (*c.details != '\0') text += "\n" + indented(c.details, 2);
    return text + fmt::format("\n  for instance: {}\n", c.example);
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
        text += (text.empty() ? "" : "\n") + screen_.bold(group.title) + "\n";
    text += translate::fit(
                fmt::format("  {:27} {}", fmt::format("{} {}", c.name, c.arguments), c.summary),
                screen_.width) +
            "\n";
  }
  return text +
         "\nA command may be cut short: n for next, b for back, p for print. 'help print' tells "
         "more "
         "of\none. Begin with next, and press return to go on.\n";
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
    if (argument == Argument::node) add(parameters_of(trace_));
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
  std::erase_if(all, [&](const std::string& candidate) { return !candidate.starts_with(word); });
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

// --- places -------------------------------------------------------------------------------------

namespace {

int whole_number(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    throw Error(fmt::format("'{}' is not a whole number", printable(text)));
  return value;
}

int count_of(const std::string& text) {
  const int value = whole_number(text);
  if (value == 0) throw Error("a count is at least 1");
  return value;
}

}  // namespace

Session::Session(Trace trace, Screen screen) : screen_(screen) { turn_to(std::move(trace)); }

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
    throw Error("the forward pass has not begun: 'next' begins it; or name a node: 'print 4.y'");
  return places_[static_cast<size_t>(at_)];
}

std::string Session::show_place() const { return place_view(trace_, here(), screen_); }

std::optional<size_t> Session::breakpoint_at(const Place& place) const {
  for (const auto& [number, condition] : breakpoints_)
    if (condition.holds(trace_, place)) return number;
  return std::nullopt;
}

template <class F>
std::string Session::advance(F stops, const std::string& otherwise) {
  for (size_t i = static_cast<size_t>(at_ + 1); i < places_.size(); ++i) {
    if (!stops(places_[i])) continue;
    const bool turns = places_[i].is_backward && (at_ < 0 || !here().is_backward);
    at_ = static_cast<int64_t>(i);
    return (turns ? screen_.faint("the backward pass, from the last node to the first") + "\n"
                  : "") +
           show_place();
  }
  return otherwise;
}

namespace {
constexpr const char* end_text =
    "This is the end of the backward pass. 'back' and 'go' lead elsewhere.\n";
}

std::string Session::next(const std::string& arguments) {
  std::string text;
  for (int count = arguments.empty() ? 1 : count_of(arguments); count > 0; --count) {
    text = advance(
        [&](const Place& place) {
          return place.is_backward || trace_.node(place.node).kind == TraceNode::Kind::step;
        },
        end_text);
    if (text == end_text) break;
  }
  return text;
}

std::string Session::back(const std::string& arguments) {
  const int count = arguments.empty() ? 1 : count_of(arguments);
  int64_t target = at_;
  for (int i = 0; i < count; ++i) {
    int64_t before = target - 1;
    while (before >= 0) {
      const Place& place = places_[static_cast<size_t>(before)];
      if (place.is_backward || trace_.node(place.node).kind == TraceNode::Kind::step) break;
      --before;
    }
    if (before < 0) {
      if (i == 0) return "This is the beginning. 'next' leads on.\n";
      break;
    }
    target = before;
  }
  at_ = target;
  return show_place();
}

std::string Session::go_on(const std::string&) {
  if (at_ + 1 == static_cast<int64_t>(places_.size())) return end_text;
  std::optional<size_t> hit;
  const std::string text =
      advance([&](const Place& place) { return (hit = breakpoint_at(place)).has_value(); }, "");
  if (hit)
    return fmt::format("breakpoint {}: {}\n{}", *hit, breakpoints_.at(static_cast<int>(*hit)).text,
                       text);
  const bool is_backward = at_ >= 0 && here().is_backward;
  const int64_t turn = trace_.size() - 1;  // the last place of the forward pass
  at_ = is_backward || at_ >= turn ? static_cast<int64_t>(places_.size()) - 1 : turn;
  return fmt::format("{}; the end of the {} pass:\n{}",
                     breakpoints_.empty() ? "no breakpoint is set" : "no breakpoint on the way",
                     here().is_backward ? "backward" : "forward", show_place());
}

std::string Session::until(const std::string& arguments) {
  const Condition condition = parse_condition(trace_, arguments);
  const std::string text =
      advance([&](const Place& place) { return condition.holds(trace_, place); }, "");
  if (text.empty()) throw Error(fmt::format("nothing ahead is '{}'", condition.text));
  return text;
}

std::string Session::go(const std::string& arguments) {
  const std::vector<std::string> words = words_of(arguments);
  if (words.empty()) throw Error("go where? for instance: go 4, go 4 backward, go start");
  if (words[0] == "start") {
    at_ = -1;
    return "This is the beginning. 'next' leads on.\n";
  }
  const int node = node_or_here(words[0]);
  bool is_backward = at_ >= 0 && here().is_backward;
  if (words.size() > 1) {
    const std::string& pass = words[1];
    if (std::string_view("backward").starts_with(pass))
      is_backward = true;
    else if (std::string_view("forward").starts_with(pass))
      is_backward = false;
    else
      throw Error(fmt::format("'{}' is neither forward nor backward", printable(pass)));
  }
  const auto found = std::ranges::find(places_, Place{node, is_backward});
  if (found == places_.end())
    throw Error(fmt::format("no gradient reached {}", trace_.description(node)));
  at_ = found - places_.begin();
  return show_place();
}

std::string Session::breakpoint(const std::string& arguments) {
  if (arguments.empty()) {
    std::string text;
    for (const auto& [number, condition] : breakpoints_)
      text += fmt::format("  {}  {}\n", number, condition.text);
    return text.empty() ? "no breakpoint is set; 'help breakpoint' tells how\n" : text;
  }
  const Condition condition = parse_condition(trace_, arguments);
  std::string forward, backward;
  int64_t fires = 0;
  for (const Place& place : places_)
    if (condition.holds(trace_, place)) {
      ++fires;
      std::string& list = place.is_backward ? backward : forward;
      const auto shown = std::ranges::count(list, ',');
      if (shown < 8)
        list += fmt::format(", {}", place.node);
      else if (!list.ends_with("…"))
        list += ", …";
    }
  breakpoints_[++last_breakpoint_] = condition;
  std::string text = fmt::format("breakpoint {}: {}\n", last_breakpoint_, condition.text);
  if (fires == 0) return text + "  it never fires: there is no such place in this trace\n";
  text += fmt::format("  fires at {}:", counted(fires, "place"));
  if (!forward.empty()) text += " forward at node" + forward.substr(1);
  if (!backward.empty())
    text += std::string(forward.empty() ? "" : ";") + " backward at node" + backward.substr(1);
  return text + "\n";
}

std::string Session::remove(const std::string& arguments) {
  if (arguments == "all") {
    breakpoints_.clear();
    return "no breakpoint is left\n";
  }
  int number = 0;
  std::from_chars(arguments.data(), arguments.data() + arguments.size(), number);
  if (breakpoints_.erase(number) == 0)
    throw Error(
        fmt::format("there is no breakpoint '{}'; 'breakpoint' lists them", printable(arguments)));
  return fmt::format("breakpoint {} is gone\n", number);
}

// --- looking ------------------------------------------------------------------------------------

std::string Session::where(const std::string&) { return details_view(trace_, here(), screen_); }

std::optional<int> Session::node_named(const std::string& text) const {
  if (!text.empty() && text.find_first_not_of("-0123456789") == text.npos) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size())
      throw Error(fmt::format("'{}' is not the number of a node", text));
    trace_.node(number);
    return number;
  }
  for (int n = 0; n < trace_.size(); ++n)
    if (!text.empty() && trace_.node(n).name == text) return n;
  return std::nullopt;
}

int Session::node_or_here(const std::string& text) const {
  if (text.empty()) return here().node;
  if (const auto node = node_named(text)) return *node;
  throw Error(fmt::format("'{}' is neither the number of a node nor a parameter's name{}",
                          printable(text), did_you_mean(text, parameters_of(trace_))));
}

Session::Named Session::named(std::string_view text) const {
  const size_t bracket = std::min(text.find('['), text.size());
  Named result;
  result.slice = text.substr(bracket);
  result.slice.erase(result.slice.find_last_not_of(" \t") + 1);
  std::string head(text.substr(0, bracket));
  head.erase(head.find_last_not_of(" \t") + 1);

  std::string what = head;
  if (const auto node = node_named(head)) {
    result.node = *node;
    what = "y";
  } else if (const size_t dot = head.rfind('.'); dot != head.npos) {
    result.node = node_or_here(head.substr(0, dot));
    what = head.substr(dot + 1);
  } else {
    result.node = here().node;
  }
  const TraceNode& node = trace_.node(result.node);
  const std::string prefix = head == what ? "" : reference(trace_, result.node) + ": ";
  if (what.starts_with("dL/d")) what.erase(0, 3);
  if (what.empty() || what == "y" || what == "value") {
    result.is_value = true;
    result.tensor = node.value;
    result.title = reference(trace_, result.node);
    return result;
  }
  if (what == "g" || what == "dy" || what == "gradient") {
    if (!node.gradient.defined())
      throw Error(fmt::format("no gradient reached {}", trace_.description(result.node)));
    result.tensor = node.gradient;
    result.title = "gradient of " + reference(trace_, result.node);
    return result;
  }
  std::vector<std::string> letters{"y", "g"};
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const std::string letter = operand(node, i);
    if (what == letter) {
      result.node = node.inputs[i];
      result.is_value = true;
      result.tensor = trace_.node(result.node).value;
      result.title = fmt::format("{}{}, {}", prefix, letter, reference(trace_, result.node));
      return result;
    }
    if (what == "d" + letter) {
      result.is_sent = true;
      result.tensor = trace_.sent(result.node)[i];
      if (!result.tensor.defined())
        throw Error(fmt::format("no gradient went from {} to {}", trace_.description(result.node),
                                reference(trace_, node.inputs[i])));
      result.title =
          fmt::format("{}dL/d{}, to {}", prefix, letter, reference(trace_, node.inputs[i]));
      return result;
    }
    letters.push_back(letter);
    letters.push_back("d" + letter);
  }
  std::string known;
  for (const std::string& letter : letters) known += (known.empty() ? "" : ", ") + letter;
  throw Error(fmt::format("'{}' is neither a parameter{} nor a letter of {}, which has {}",
                          printable(what), did_you_mean(what, parameters_of(trace_)),
                          trace_.description(result.node), known));
}

std::string Session::print(const std::string& arguments) {
  const Named n = named(arguments);
  std::string text = fmt::format("  {}{}", n.title, n.slice);
  if (!n.tensor.is_whole()) {
    if (!n.slice.empty()) n.tensor.values();
    const Summary& s = n.tensor.summary();
    text += fmt::format(" {}\n  only this summary was kept; counts from {} to {}:\n",
                        brief(n.tensor), number_text(s.min), number_text(s.max));
    for (int64_t bin : s.histogram) text += fmt::format(" {}", bin);
    return text + "\n";
  }
  const Tensor part = sliced(n.tensor.values(), n.slice);
  const TraceTensor kept(part);
  if (part.rank() < 2 && part.numel() <= 8) return text + "  " + brief(kept) + "\n";
  text += fmt::format("  {}\n", part.numel() > 8 ? brief(kept) : part.shape().text());
  const Labels labels = n.slice.empty() ? labels_of(trace_, n.node) : Labels();
  return text + indented(table(part, screen_.width - 4, 20, labels.rows, labels.columns), 4);
}

std::string Session::formula(const std::string& arguments) {
  return formula_view(trace_, node_or_here(arguments));
}

std::string Session::list(const std::string& arguments) {
  const std::vector<std::string> words = words_of(arguments);
  if (trace_.size() == 0) return "the trace is empty\n";
  int from, to;
  if (words.empty()) {
    const int middle = at_ < 0 ? 0 : here().node;
    from = std::max(0, middle - 5);
    to = std::min(trace_.size() - 1, from + 10);
  } else {
    from = node_or_here(words[0]);
    to = words.size() > 1 ? static_cast<int>(whole_number(words[1])) : from + 10;
    to = std::clamp(to, from, trace_.size() - 1);
  }
  return list_view(trace_, from, to, at_ < 0 ? -1 : here().node, screen_);
}

std::string Session::tree(const std::string& arguments) {
  return tree_view(trace_, arguments, screen_);
}

std::string Session::graph(const std::string& arguments) {
  const std::vector<std::string> words = words_of(arguments);
  return graph_view(trace_, node_or_here(words.empty() ? "" : words[0]),
                    words.size() > 1 ? count_of(words[1]) : 1, screen_);
}

std::string Session::attention(const std::string& arguments) {
  return attention_view(trace_, arguments);
}

// --- judging and changing ------------------------------------------------------------------------

std::string Session::check(const std::string& arguments) {
  if (arguments != "all") {
    const int node = node_or_here(arguments);
    gradus::check(trace_, node);
    return verdict_text(trace_, node, screen_);
  }
  const std::vector<int> wrong = gradus::check(trace_);
  std::string text;
  for (int node : wrong)
    text += fmt::format("  {}\n{}", trace_.description(node), verdict_text(trace_, node, screen_));
  int64_t agree = 0, steps = 0;
  std::map<std::string, int64_t> unknown;
  for (const TraceNode& node : trace_.nodes()) {
    if (node.kind != TraceNode::Kind::step) continue;
    ++steps;
    if (!node.verdict)
      ++unknown["no verdict"];
    else if (node.verdict->result == Verdict::Result::agrees)
      ++agree;
    else if (node.verdict->result == Verdict::Result::unknown)
      ++unknown[node.verdict->reason];
  }
  text += fmt::format(
      "  of {}, {} have a gradient rule that agrees with differences, {} one that "
      "does not\n",
      counted(steps, "step"), agree, wrong.size());
  for (const auto& [reason, count] : unknown)
    text += fmt::format("  {} not checked: {}\n", counted(count, "step"), printable(reason));
  return text;
}

std::string Session::provenance(const std::string& arguments) {
  if (arguments.empty()) throw Error("of what? for instance: provenance weight[0, 1]");
  const Named n = named(arguments);
  const TraceNode& node = trace_.node(n.node);
  if (n.is_sent) throw Error("name the value whose gradient it is, or a parameter");
  const int64_t element = element_at(node.value.shape(), n.slice);
  const std::vector<Contribution> parts = gradus::provenance(trace_, n.node, element);
  double sum = 0;
  for (const Contribution& part : parts) sum += part.amount;
  std::string text =
      fmt::format("  gradient of {}{}: {}, the sum of {}\n", reference(trace_, n.node),
                  indices_text(node.value.shape(), element), number_text(sum),
                  counted(std::ssize(parts), "part"));
  constexpr size_t most = 12;
  double rest = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i >= most && parts.size() > most + 1) {
      rest += parts[i].amount;
      continue;
    }
    const TraceNode& user = trace_.node(parts[i].node);
    std::string row;
    for (int64_t index : parts[i].at) row += fmt::format("{}{}", row.empty() ? "" : ", ", index);
    text += fmt::format("  {:>11}  through {}{}{}{}\n", number_text(parts[i].amount),
                        reference(trace_, parts[i].node), row.empty() ? "" : ", row [" + row + "]",
                        user.path.empty() ? "" : ", in " + printable(user.path),
                        user.time < 0 ? "" : fmt::format(", time {}", user.time));
  }
  if (parts.size() > most + 1)
    text += fmt::format("  {:>11}  in {} smaller parts\n", number_text(rest), parts.size() - most);
  return text;
}

std::string Session::set(const std::string& arguments) {
  const size_t equals = arguments.find('=');
  if (equals == arguments.npos)
    throw Error("set what to which number? for instance: set weight[0, 1] = 0.5");
  const Named n = named(arguments.substr(0, equals));
  if (!trace_.is_live())
    throw Error(
        "this trace comes from a file: it holds numbers, but not the computations of its ops, so "
        "nothing can run again. 'set' works in the program that recorded it, as in the lessons");
  if (!n.is_value) throw Error(fmt::format("{} is a gradient; set a value", n.title));
  const std::string text =
      arguments.substr(std::min(arguments.find_first_not_of(" \t=", equals), arguments.size()));
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error(fmt::format("'{}' is not a number", printable(text)));

  const Tensor& old = n.tensor.values();
  const Tensor changed = Tensor::uninitialised(old.shape(), old.dtype());
  changed.assign(old);
  const Tensor part = sliced(changed, n.slice);
  part.assign(full(part.shape(), number, part.dtype()));
  Trace replayed = trace_.replay(n.node, changed);
  std::swap(replayed, trace_);
  before_.push_back(std::move(replayed));
  turn_to(std::move(trace_));
  return fmt::format("  {}{}: {} → {}\n", n.title, n.slice,
                     brief(TraceTensor(sliced(old, n.slice))), brief(TraceTensor(part))) +
         change_view(before_.back(), trace_);
}

std::string Session::undo(const std::string&) {
  if (before_.empty()) throw Error("nothing has been set");
  turn_to(std::move(before_.back()));
  before_.pop_back();
  return before_.empty() ? "as it was recorded\n"
                         : fmt::format("{} still set\n", counted(std::ssize(before_), "change"));
}

std::string Session::compare(const std::string& arguments) {
  if (!arguments.empty()) return comparison_view(trace_, Trace::load(arguments), "there", screen_);
  if (before_.empty())
    throw Error(
        "with which trace? for instance: compare runs/step.trace; after 'set' without a name");
  return comparison_view(trace_, before_.back(), "before", screen_);
}

// --- files --------------------------------------------------------------------------------------

namespace {

/// Makes the folder of a file that is to be written; where it cannot, writing says why.
void make_folder_of(const std::string& path) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
}

}  // namespace

std::string Session::save(const std::string& arguments) {
  if (arguments.empty()) throw Error("save where? for instance: save runs/step.trace");
  make_folder_of(arguments);
  trace_.save(arguments);
  return fmt::format("the trace is in {}\n", printable(arguments));
}

std::string Session::html(const std::string& arguments) {
  if (arguments.empty()) throw Error("write where? for instance: html runs/step.html");
  make_folder_of(arguments);
  write_page(trace_, arguments);
  return fmt::format("the page is in {}\n", printable(arguments));
}

std::string Session::open(const std::string& arguments) {
  if (arguments.empty()) return lesson_list();
  Opened opened = open_trace(arguments);
  at_ = -1;
  turn_to(std::move(opened.trace));
  before_.clear();
  breakpoints_.clear();
  return opened.title;
}

}  // namespace gradus::step
