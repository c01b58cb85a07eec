#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/tensor/error.h"
#include "examples/step/session.h"
#include "examples/step/views.h"
#include "examples/terminal/display_width.h"

/// What users call nodes and tensors.
namespace gradus::step {

using terminal::printable;

std::optional<int> Session::node_named(const std::string& text) const {
  if (!text.empty() && text.find_first_not_of("-0123456789") == text.npos) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size())
      throw Error(said("'{}' is not the number of a node", text));
    trace_.node(number);
    return number;
  }
  if (text.empty()) return std::nullopt;
  for (int n = 0; n < trace_.size(); ++n)
    if (trace_.node(n).name == text) return n;
  const std::vector<std::string> words = words_of(text);  // "tanh 5", as views refer to it
  if (words.size() < 2 || words.back().find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  int number = 0;
  const std::string& last = words.back();
  std::from_chars(last.data(), last.data() + last.size(), number);
  if (number < trace_.size() && reference(trace_, number) == join(words, " ")) return number;
  return std::nullopt;
}

std::optional<int> Session::node_meant(const std::string& text) const {
  if (const auto node = node_named(text)) return node;
  if (text.empty()) return std::nullopt;
  std::vector<int> ops, parameters;
  int last = -1;  // of a layer
  bool is_layer_itself = false;
  for (int n = 0; n < trace_.size(); ++n) {
    const TraceNode& node = trace_.node(n);
    if (node.op == text) ops.push_back(n);
    if (node.name.ends_with("." + text)) parameters.push_back(n);
    if (node.kind != TraceNode::Kind::op) continue;
    const bool is_itself = node.path == text || node.path.starts_with(text + ".");
    if (is_itself || (!is_layer_itself && lies_in(node.path, text))) last = n;
    is_layer_itself = is_layer_itself || is_itself;
  }
  if (last >= 0) return last;
  const std::vector<int>& found = parameters.empty() ? ops : parameters;
  if (found.size() < 2) return found.empty() ? std::nullopt : std::optional(found[0]);
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min<size_t>(found.size(), 6); ++i)
    names.push_back(reference(trace_, found[i]));
  const size_t more = found.size() - names.size();
  throw Error(said("'{}' may be {}{}", printable(text), listed(names),
                   more > 0 ? said(" and {} more", more) : ""));
}

std::vector<std::string> Session::names() const {
  std::vector<std::string> result = parameters_of(trace_);
  for (const auto& more : {layers_of(trace_), ops_of(trace_)})
    result.insert(result.end(), more.begin(), more.end());
  return result;
}

int Session::node_or_here(const std::string& text) const {
  if (text.empty()) return here().node;
  if (const auto node = node_meant(text)) return *node;
  throw Error(said("'{}' is neither the number nor the name of a node{}", printable(text),
                   did_you_mean(text, names())));
}

bool Session::has_letter(int number, std::string_view text) const {
  const TraceNode& node = trace_.node(number);
  if (text.starts_with("dL/d")) text.remove_prefix(3);
  for (const char* known : {"y", "value", "g", "dy", "gradient"})
    if (text == known) return true;
  if (text.starts_with("d")) text.remove_prefix(1);
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (text == operand(node, i)) return true;
  return false;
}

Session::Named Session::named(std::string_view text) const {
  const size_t bracket = std::min(text.find('['), text.size());
  Named result;
  result.slice = text.substr(bracket);
  result.slice.erase(result.slice.find_last_not_of(" \t") + 1);
  std::string head(text.substr(0, bracket));
  head.erase(head.find_last_not_of(" \t") + 1);

  const size_t dot = head.rfind('.');
  const bool is_letter =
      head.empty() || (at_ >= 0 && dot == head.npos && has_letter(here().node, head));
  std::string what = head;
  if (const auto node = is_letter ? node_named(head) : node_meant(head)) {
    result.node = *node;
    what = "y";
  } else if (dot != head.npos) {
    result.node = node_or_here(head.substr(0, dot));
    what = head.substr(dot + 1);
  } else {
    const bool may_be_letter = head.size() < 3 || head == "value" || head == "gradient";
    result.node = at_ < 0 && !may_be_letter ? node_or_here(head) : here().node;
  }
  const TraceNode& node = trace_.node(result.node);
  const std::string prefix = head == what ? "" : reference(trace_, result.node) + said(": ");
  if (what.starts_with("dL/d")) what.erase(0, 3);
  if (what.empty() || what == "y" || what == "value") {
    result.is_value = true;
    result.tensor = node.value;
    result.title = reference(trace_, result.node);
    return result;
  }
  if (what == "g" || what == "dy" || what == "gradient") {
    if (!node.gradient.defined())
      throw Error(said("no gradient reached {}", description(trace_, result.node)));
    result.tensor = node.gradient;
    result.title = said("gradient of {}", reference(trace_, result.node));
    return result;
  }
  std::vector<std::string> letters{"y", "g"};
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const std::string letter = operand(node, i);
    if (what == letter) {
      result.node = node.inputs[i];
      result.is_value = true;
      result.tensor = trace_.node(result.node).value;
      result.title = prefix + letter + said(", ") + reference(trace_, result.node);
      return result;
    }
    if (what == "d" + letter) {
      result.is_sent = true;
      result.tensor = trace_.sent(result.node)[i];
      if (!result.tensor.defined())
        throw Error(said("no gradient went from {} to {}", description(trace_, result.node),
                         reference(trace_, node.inputs[i])));
      result.title = said("{}dL/d{}, to {}", prefix, letter, reference(trace_, node.inputs[i]));
      return result;
    }
    letters.push_back(letter);
    letters.push_back("d" + letter);
  }
  throw Error(said("'{}' is neither the name of a node{} nor a letter of {}, which has {}",
                   printable(what), did_you_mean(what, names()), description(trace_, result.node),
                   listed(letters)));
}

}  // namespace gradus::step
