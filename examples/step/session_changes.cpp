#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <filesystem>

#include "core/files/atomic_file.h"
#include "core/files/replaceable.h"
#include "core/tensor/error.h"
#include "core/trace/provenance.h"
#include "core/trace/verdict.h"
#include "examples/step/page.h"
#include "examples/step/session.h"
#include "examples/step/views.h"
#include "examples/terminal/display_width.h"

namespace gradus::step {

using terminal::printable;

namespace {

double number_of(const std::string& text) {
  if (text == "∞" || text == "-∞") return text == "∞" ? HUGE_VAL : -HUGE_VAL;  // as they are shown
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error(said("'{}' is not a number", printable(text)));
  return number;
}

}  // namespace

std::string Session::check(const std::string& arguments) {
  if (arguments != "all") {
    const int node = node_or_here(arguments);
    gradus::check(trace_, node);
    return verdict_text(trace_, node, screen_);
  }
  std::string text = check_all() ? "" : said("  stopped: the rest was not checked\n");
  std::vector<int> wrong;
  for (int n = 0; n < trace_.size(); ++n)
    if (const auto& verdict = trace_.node(n).verdict;
        verdict && verdict->result == Verdict::Result::disagrees)
      wrong.push_back(n);
  for (int node : wrong)
    text += fmt::format("  {}\n{}", description(trace_, node), verdict_text(trace_, node, screen_));
  int64_t agree = 0, ops = 0;
  std::map<std::string, int64_t> unknown;
  for (const TraceNode& node : trace_.nodes()) {
    if (node.kind != TraceNode::Kind::op) continue;
    ++ops;
    if (!node.verdict)
      ++unknown[said("no verdict")];
    else if (node.verdict->result == Verdict::Result::agrees)
      ++agree;
    else if (node.verdict->result == Verdict::Result::unknown)
      ++unknown[reason_text(*node.verdict)];
    else if (node.verdict->result == Verdict::Result::not_finite)
      ++unknown[said("not finite")];
  }
  text +=
      said("  of {}, {} have a gradient rule that agrees with differences, {} one that does not\n",
           counted(ops, "op"), agree, wrong.size());
  for (const auto& [reason, count] : unknown)
    text += said("  {} not checked: {}\n", counted(count, "op"), reason);
  return text;
}

bool Session::check_all() {
  bool is_whole = true;
  gradus::check(trace_, [&](int done, int of) {
    return is_whole = !progress_ || progress_(said("checking"), done, of);
  });
  return is_whole;
}

std::string Session::doctor(const std::string&) {
  check_all();
  return doctor_view(trace_, screen_);
}

std::string Session::provenance(const std::string& arguments) {
  if (arguments.empty())
    throw Error(said("expected an element of a gradient, as in: provenance weight[0, 1]"));
  const Named n = named(arguments);
  const TraceNode& node = trace_.node(n.node);
  if (n.is_sent)
    throw Error(said("expected a value or a parameter, got what a node sent back to an input"));
  const int64_t element = element_at(node.value.shape(), n.slice);
  const std::vector<Contribution> parts = gradus::provenance(trace_, n.node, element);
  double sum = 0;
  for (const Contribution& part : parts) sum += part.amount;
  std::string text = said("  gradient of {}{}: {}, the sum of {}\n", reference(trace_, n.node),
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
    const std::string where = where_text(user);
    text += said("  {:>11}  through {}{}{}\n", number_text(parts[i].amount),
                 reference(trace_, parts[i].node), row.empty() ? "" : said(", row [{}]", row),
                 where.empty() ? "" : said(", ") + where);
  }
  if (parts.size() > most + 1)
    text += said("  {:>11}  in {} smaller parts\n", number_text(rest), parts.size() - most);
  return text;
}

std::string Session::set(const std::string& arguments) {
  const size_t equals = arguments.find('=');
  if (equals == arguments.npos)
    throw Error(said("expected a value and a number, as in: set weight[0, 1] = 0.5"));
  const Named n = named(arguments.substr(0, equals));
  if (!trace_.is_live())
    throw Error(said(
        "this trace comes from a file: it holds numbers, but not the computations of its ops, so "
        "nothing can run again. 'set' works in the program that recorded it, as in the lessons"));
  if (!n.is_value) throw Error(said("expected a value, got a gradient: {}", n.title));
  const std::string text =
      arguments.substr(std::min(arguments.find_first_not_of(" \t=", equals), arguments.size()));
  const double number = number_of(text);
  const Tensor& old = n.tensor.values();
  Tensor changed = Tensor::uninitialised(old.shape(), old.dtype());
  changed.assign(old);
  Tensor part = sliced(changed, n.slice);
  part.assign(full(part.shape(), number, part.dtype()));
  Trace replayed = trace_.replay(n.node, changed);
  std::swap(replayed, trace_);
  before_.push_back(std::move(replayed));
  turn_to(std::move(trace_));
  return said("  {}{}: {} → {}\n", n.title, n.slice, brief(TraceTensor(sliced(old, n.slice))),
              brief(TraceTensor(part))) +
         change_view(before_.back(), trace_);
}

std::string Session::undo(const std::string&) {
  if (before_.empty()) throw Error(said("nothing has been set"));
  turn_to(std::move(before_.back()));
  before_.pop_back();
  return before_.empty() ? said("as it was recorded\n")
                         : said("{} still set\n", counted(std::ssize(before_), "change"));
}

std::string Session::compare(const std::string& arguments) {
  std::string file = arguments;
  const auto ends_with = [&](size_t count, std::string_view wanted) {
    const std::vector<std::string> words = words_of(file);
    return words.size() >= count && words[words.size() - count] == wanted;
  };
  const auto take_word = [&] {
    const std::string word = words_of(file).back();
    file.erase(file.rfind(word));
    file.erase(file.find_last_not_of(" \t") + 1);
    return word;
  };
  ComparisonOptions options;
  if (ends_with(1, "all")) take_word(), options.all = true;
  if (ends_with(2, "within")) {
    options.tolerance = number_of(take_word());
    take_word();
    if (!(options.tolerance >= 0)) throw Error(said("a tolerance is at least 0"));
  }
  if (!file.empty())
    return comparison_view(trace_, Trace::load(file), said("there"), screen_, options);
  if (before_.empty())
    throw Error(said(
        "expected the file of a trace, as in: compare runs/step.trace; without a file it compares "
        "with the trace before the last 'set'"));
  return comparison_view(trace_, before_.back(), said("before"), screen_, options);
}

std::string Session::into(const std::string& arguments) {
  const int node = node_or_here(arguments);
  Trace parts = trace_.opened(node);
  const std::string where = where_text(trace_.node(node));
  const std::string title =
      said("inside {}{}: {}; 'next' steps, 'check all' checks, 'out' closes it\n",
           reference(trace_, node), where.empty() ? "" : said(" ({})", where),
           counted(parts.size(), "node"));
  outer_.push_back({std::move(trace_), std::exchange(before_, {}), std::exchange(at_, -1),
                    std::exchange(breakpoints_, {}), node});
  turn_to(std::move(parts));
  constexpr int most = 24;
  std::string text = title + list_view(trace_, 0, std::min(most, trace_.size()) - 1, -1, screen_);
  if (trace_.size() > most)
    text += said("  and {} more; 'list {}' shows them\n", trace_.size() - most, most);
  return text;
}

std::string Session::out(const std::string&) {
  if (outer_.empty()) throw Error(said("nothing is open; 'into' opens the op of this place"));
  Outer outer = std::move(outer_.back());
  outer_.pop_back();
  const Trace parts = before_.empty() ? std::move(trace_) : std::move(before_.front());
  trace_ = std::move(outer.trace);
  places_ = places_of(trace_);
  before_ = std::move(outer.before);
  breakpoints_ = std::move(outer.breakpoints);
  at_ = outer.at;
  return closing_view(trace_, outer.node, parts, screen_);
}

namespace {

/// Makes the folder of a file that is to be written; where it cannot, writing says why.
void make_folder_of(const std::string& path) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
}

}  // namespace

std::string Session::save(const std::string& arguments) {
  if (arguments.empty()) throw Error(said("expected a file, as in: save runs/step.trace"));
  if (!is_written_directly(arguments)) check_replaceable(arguments, Trace::is_trace, "a trace");
  make_folder_of(arguments);
  trace_.save(arguments);
  return said("the trace is in {}\n", printable(arguments));
}

std::string Session::html(const std::string& arguments) {
  if (arguments.empty()) throw Error(said("expected a file, as in: html runs/step.html"));
  check_place_of_page(arguments);
  make_folder_of(arguments);
  write_page(trace_, arguments, before());
  return said("the page is in {}\n", printable(arguments));
}

std::string Session::open(const std::string& arguments) {
  if (arguments.empty()) return library_.list;
  Opened opened = library_.open(arguments);
  at_ = -1;
  turn_to(std::move(opened.trace));
  before_.clear();
  breakpoints_.clear();
  outer_.clear();
  return opened.title;
}

}  // namespace gradus::step
