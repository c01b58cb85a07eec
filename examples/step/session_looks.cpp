#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/tensor/error.h"
#include "examples/step/session.h"
#include "examples/step/views.h"
#include "examples/terminal/display_width.h"

namespace gradus::step {

using terminal::printable;

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

}  // namespace gradus::step
