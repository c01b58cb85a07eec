#include <fmt/format.h>

#include <algorithm>

#include "core/tensor/error.h"
#include "examples/step/session.h"
#include "examples/step/views.h"
#include "examples/terminal/display_width.h"

namespace gradus::step {

using terminal::printable;

std::string Session::where(const std::string&) { return details_view(trace_, here(), screen_); }

std::string Session::print(const std::string& arguments) {
  const Named n = named(arguments);
  std::string text = fmt::format("  {}{}", n.title, n.slice);
  if (!n.tensor.is_whole()) {
    if (!n.slice.empty()) n.tensor.values();
    const Summary& s = n.tensor.summary();
    text += said(" {}\n  only this summary was kept; counts from {} to {}:\n", brief(n.tensor),
                 number_text(s.min), number_text(s.max));
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
  if (trace_.size() == 0) return said("the trace is empty\n");
  int from, to;
  if (words.empty()) {
    const int middle = at_ < 0 ? 0 : here().node;
    from = std::max(0, middle - 5);
    to = std::min(trace_.size() - 1, from + 10);
  } else if (const auto node = node_named(arguments)) {
    from = *node;
    to = std::min(from + 10, trace_.size() - 1);
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
  if (const auto node = node_named(arguments)) return graph_view(trace_, *node, 1, screen_);
  std::vector<std::string> words = words_of(arguments);
  int depth = 1;
  if (words.size() > 1) {
    depth = count_of(words.back());
    words.pop_back();
  }
  return graph_view(trace_, node_or_here(join(words, " ")), depth, screen_);
}

std::string Session::attention(const std::string& arguments) {
  return attention_view(trace_, arguments);
}

}  // namespace gradus::step
