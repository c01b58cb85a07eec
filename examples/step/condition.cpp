#include "examples/step/condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <set>

#include "core/tensor/error.h"
#include "core/trace/not_finite.h"
#include "examples/step/language.h"

namespace gradus::step {

std::vector<Place> places_of(const Trace& trace) {
  std::vector<Place> places;
  for (int n = 0; n < trace.size(); ++n) places.push_back({n, false});
  for (int n = trace.size() - 1; n >= 0; --n)
    if (trace.node(n).gradient.defined()) places.push_back({n, true});
  return places;
}

// --- words and names ----------------------------------------------------------------------------

namespace {

/// Insertions, deletions and replacements that lead from one word to the other (Levenshtein).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

template <class F>
std::vector<std::string> collect(const Trace& trace, F names_of_node) {
  std::vector<std::string> result;
  std::set<std::string> known;
  for (const TraceNode& node : trace.nodes())
    for (const std::string& name : names_of_node(node))
      if (!name.empty() && known.insert(name).second) result.push_back(name);
  return result;
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& words) {
  std::string best;
  size_t least = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : words) {
    const auto [shorter, longer] = std::minmax({word.size(), candidate.size()});
    if (longer - shorter >= least) continue;  // so much at least they differ
    if (const size_t d = distance(word, candidate); d < least) least = d, best = candidate;
  }
  if (!best.empty() || word.size() < 3) return best;
  for (const std::string& candidate : words)
    if (candidate.find(word) != candidate.npos) return candidate;
  return "";
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& words) {
  const std::string found = nearest(word, words);
  return found.empty() ? "" : said("; did you mean '{}'?", found);
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (size_t at = 0; (at = text.find_first_not_of(" \t\r", at)) != text.npos;) {
    const size_t end = std::min(text.find_first_of(" \t\r", at), text.size());
    words.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

int whole_number(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    throw Error(said("'{}' is not a whole number", text));
  return value;
}

int count_of(const std::string& text) {
  const int value = whole_number(text);
  if (value == 0) throw Error(said("a count is at least 1"));
  return value;
}

std::vector<std::string> ops_of(const Trace& trace) {
  return collect(trace, [](const TraceNode& node) { return std::vector{node.op}; });
}

std::vector<std::string> layers_of(const Trace& trace) {
  constexpr size_t deepest = 64;  // a file may name thousands: together they fill the memory
  return collect(trace, [](const TraceNode& node) {
    std::vector<std::string> layers;
    for (size_t dot = node.path.find('.'); dot != node.path.npos && layers.size() < deepest;
         dot = node.path.find('.', dot + 1))
      layers.push_back(node.path.substr(0, dot));
    layers.push_back(node.path);
    return layers;
  });
}

std::vector<std::string> parameters_of(const Trace& trace) {
  return collect(trace, [](const TraceNode& node) { return std::vector{node.name}; });
}

bool lies_in(std::string_view path, std::string_view layer) {
  return fmt::format(".{}.", path).find(fmt::format(".{}.", layer)) != std::string::npos;
}

// --- tests --------------------------------------------------------------------------------------

namespace {

using Test = std::function<bool(const Trace&, const Place&)>;

const TraceTensor& tensor_at(const Trace& trace, const Place& place) {
  const TraceNode& node = trace.node(place.node);
  return place.is_backward ? node.gradient : node.value;
}

double figure(const Summary& s, const std::string& name) {
  const Summary::Figures all = s.all();
  if (name == "norm") return all.norm;
  if (name == "min") return all.min;
  if (name == "max") return all.max;
  if (name == "mean") return all.mean;
  if (name == "zeros") return static_cast<double>(s.zeros);
  throw Error(said("expected norm, min, max, mean or zeros, got '{}'", name));
}

class Parser {
 public:
  Parser(const Trace& trace, std::string_view text) : trace_(trace) {
    std::string spaced;
    for (char c : text) spaced += c == '<' || c == '>' ? std::string{' ', c, ' '} : std::string{c};
    words_ = words_of(spaced);
  }

  Condition condition() {
    if (words_.empty())
      throw Error(said("expected a test, as in: op tanh, layer decoder, nan, gradient > 10"));
    std::vector<Test> tests{test()};
    while (at_ < words_.size()) {
      if (words_[at_] != "and") throw Error(said("'{}': tests are joined by 'and'", words_[at_]));
      ++at_;
      tests.push_back(test());
    }
    std::string text;
    for (const std::string& word : words_) text += (text.empty() ? "" : " ") + word;
    return {text, [tests](const Trace& trace, const Place& place) {
              return std::ranges::all_of(tests, [&](const Test& t) { return t(trace, place); });
            }};
  }

 private:
  std::string next(const std::string& wanted) {
    if (at_ == words_.size()) throw Error(said("{} is missing at the end", wanted));
    return words_[at_++];
  }

  template <class T>
  T number(const std::string& word) {
    T value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size())
      throw Error(said("'{}' is not a number", word));
    return value;
  }

  std::string known(const std::string& kind, const std::vector<std::string>& names) {
    const std::string name = next(said("the name of the {}", kind));
    if (std::ranges::find(names, name) == names.end())
      throw Error(
          said("there is no {} '{}' in this trace{}", kind, name, did_you_mean(name, names)));
    return name;
  }

  Test test() {
    const std::string word = next(said("a test"));
    if (word == "node" || word.find_first_not_of("0123456789") == word.npos) {
      const int wanted = number<int>(word == "node" ? next(said("the node's number")) : word);
      trace_.node(wanted);
      return [wanted](const Trace&, const Place& place) { return place.node == wanted; };
    }
    if (word == "forward" || word == "backward")
      return [backward = word == "backward"](const Trace&, const Place& place) {
        return place.is_backward == backward;
      };
    if (word == "op") {
      const std::string name = known(said("op"), ops_of(trace_));
      return [name](const Trace& t, const Place& p) { return t.node(p.node).op == name; };
    }
    if (word == "layer") {
      const std::string layer = next(said("the name of the {}", said("layer")));
      const auto layers = layers_of(trace_);
      if (std::ranges::none_of(layers, [&](const auto& path) { return lies_in(path, layer); }))
        throw Error(said("there is no {} '{}' in this trace{}", said("layer"), layer,
                         did_you_mean(layer, layers)));
      return
          [layer](const Trace& t, const Place& p) { return lies_in(t.node(p.node).path, layer); };
    }
    if (word == "parameter") {
      const std::string name = known(said("parameter"), parameters_of(trace_));
      return [name](const Trace& t, const Place& p) {
        const TraceNode& node = t.node(p.node);
        return node.name == name || std::ranges::any_of(node.parameters, [&](int parameter) {
                 return t.node(parameter).name == name;
               });
      };
    }
    if (word == "time") {
      const auto wanted = number<int64_t>(next(said("the time step")));
      return [wanted](const Trace& t, const Place& p) { return t.node(p.node).time == wanted; };
    }
    if (word == "nan")
      return [](const Trace& t, const Place& p) {
        return p.is_backward ? gradient_breaks(t, p.node) : value_breaks(t, p.node);
      };
    if (word == "wrong")
      return [](const Trace& t, const Place& p) {
        const auto& verdict = t.node(p.node).verdict;
        return verdict && verdict->result == Verdict::Result::disagrees;
      };
    const size_t dot = word.find('.');
    const std::string what = word.substr(0, dot);
    if (what == "value" || what == "gradient") {
      const std::string name = dot == word.npos ? "norm" : word.substr(dot + 1);
      figure({}, name);
      const std::string sign = next(said("< or >"));
      if (sign != "<" && sign != ">") throw Error(said("expected < or >, got '{}'", sign));
      const double bound = number<double>(next(said("the bound")));
      return [=](const Trace& t, const Place& p) {
        if (p.is_backward != (what == "gradient")) return false;
        const double x = figure(tensor_at(t, p).summary(), name);
        return sign == "<" ? x < bound : x > bound;
      };
    }
    throw Error(said("'{}' is not a test{}", word,
                     did_you_mean(word, {"node", "op", "layer", "parameter", "time", "forward",
                                         "backward", "nan", "wrong", "value", "gradient"})));
  }

  const Trace& trace_;
  std::vector<std::string> words_;
  size_t at_ = 0;
};

}  // namespace

Condition parse_condition(const Trace& trace, std::string_view text) {
  return Parser(trace, text).condition();
}

}  // namespace gradus::step
