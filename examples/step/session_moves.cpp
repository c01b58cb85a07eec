#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/tensor/error.h"
#include "examples/step/session.h"
#include "examples/step/views.h"
#include "examples/terminal/display_width.h"

namespace gradus::step {

using terminal::printable;

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
    return (turns ? screen_.faint(said("the backward pass, from the last node to the first")) + "\n"
                  : "") +
           show_place();
  }
  return otherwise;
}

namespace {

std::string end_text() {
  return said("This is the end of the backward pass. 'back' and 'go' lead elsewhere.\n");
}

std::string beginning_text() { return said("This is the beginning. 'next' leads on.\n"); }

}  // namespace

std::string Session::next(const std::string& arguments) {
  std::string text;
  for (int count = arguments.empty() ? 1 : count_of(arguments); count > 0; --count) {
    text = advance(
        [&](const Place& place) {
          return place.is_backward || trace_.node(place.node).kind == TraceNode::Kind::op;
        },
        end_text());
    if (text == end_text()) break;
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
      if (place.is_backward || trace_.node(place.node).kind == TraceNode::Kind::op) break;
      --before;
    }
    if (before < 0) {
      if (i == 0) return beginning_text();
      break;
    }
    target = before;
  }
  at_ = target;
  return show_place();
}

std::string Session::go_on(const std::string&) {
  if (at_ + 1 == static_cast<int64_t>(places_.size())) return end_text();
  std::optional<size_t> hit;
  const std::string text =
      advance([&](const Place& place) { return (hit = breakpoint_at(place)).has_value(); }, "");
  if (hit)
    return said("breakpoint {}: {}\n", *hit,
                printable(breakpoints_.at(static_cast<int>(*hit)).text)) +
           text;
  const bool is_backward = at_ >= 0 && here().is_backward;
  const int64_t turn = trace_.size() - 1;  // the last place of the forward pass
  at_ = is_backward || at_ >= turn ? static_cast<int64_t>(places_.size()) - 1 : turn;
  return said(
             "{}; the end of the {} pass:\n",
             breakpoints_.empty() ? said("no breakpoint is set") : said("no breakpoint on the way"),
             here().is_backward ? said("backward") : said("forward")) +
         show_place();
}

std::string Session::until(const std::string& arguments) {
  const Condition condition = parse_condition(trace_, arguments);
  const std::string text =
      advance([&](const Place& place) { return condition.holds(trace_, place); }, "");
  if (text.empty()) throw Error(said("nothing ahead is '{}'", condition.text));
  return text;
}

std::string Session::go(const std::string& arguments) {
  std::vector<std::string> words = words_of(arguments);
  if (words.empty()) throw Error(said("go where? for instance: go 4, go 4 backward, go start"));
  if (words[0] == "start") {
    at_ = -1;
    return beginning_text();
  }
  bool is_backward = at_ >= 0 && here().is_backward;
  std::optional<int> node = node_named(join(words, " "));
  if (!node && words.size() > 1) {
    const std::string pass = words.back();
    words.pop_back();
    if (std::string_view("backward").starts_with(pass))
      is_backward = true;
    else if (std::string_view("forward").starts_with(pass))
      is_backward = false;
    else
      throw Error(said("'{}' is neither forward nor backward", printable(pass)));
  }
  if (!node) node = node_or_here(join(words, " "));
  const auto found = std::ranges::find(places_, Place{*node, is_backward});
  if (found == places_.end())
    throw Error(said("no gradient reached {}", description(trace_, *node)));
  at_ = found - places_.begin();
  return show_place();
}

std::string Session::breakpoint(const std::string& arguments) {
  if (arguments.empty()) {
    std::string text;
    for (const auto& [number, condition] : breakpoints_)
      text += fmt::format("  {}  {}\n", number, printable(condition.text));
    return text.empty() ? said("no breakpoint is set; 'help breakpoint' tells how\n") : text;
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
  std::string text = said("breakpoint {}: {}\n", last_breakpoint_, printable(condition.text));
  if (fires == 0) return text + said("  it never fires: there is no such place in this trace\n");
  if (!forward.empty()) forward = said("forward at node {}", forward.substr(2));
  if (!backward.empty()) backward = said("backward at node {}", backward.substr(2));
  const std::string both = forward.empty() || backward.empty() ? "" : said("; ");
  return text + said("  fires at {}: {}\n", counted(fires, "place"), forward + both + backward);
}

std::string Session::remove(const std::string& arguments) {
  if (arguments == "all") {
    breakpoints_.clear();
    return said("no breakpoint is left\n");
  }
  int number = 0;
  std::from_chars(arguments.data(), arguments.data() + arguments.size(), number);
  if (breakpoints_.erase(number) == 0)
    throw Error(said("there is no breakpoint '{}'; 'breakpoint' lists them", printable(arguments)));
  return said("breakpoint {} is gone\n", number);
}

}  // namespace gradus::step
