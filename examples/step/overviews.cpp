#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/trace/compare.h"
#include "examples/step/attention.h"
#include "examples/step/views.h"
#include "examples/terminal/display_width.h"
#include "examples/terminal/draw.h"

namespace gradus::step {

using terminal::align_left;
using terminal::display_width;
using terminal::fit;
using terminal::printable;

std::string list_view(const Trace& trace, int from, int to, int marked, const Screen& screen) {
  std::vector<std::array<std::string, 5>> lines;
  std::array<int, 5> widths{};
  auto norm = [](const char* name, const TraceTensor& x) {
    if (!x.defined()) return std::string();
    const Summary& s = x.summary();
    if (s.nans + s.infinities > 0) return fmt::format("{} has {}", name, s.nans > 0 ? "NaN" : "∞");
    return x.shape().rank() == 0 ? fmt::format("{} {:.3g}", name, s.mean + 0.0)
                                 : fmt::format("|{}| {:.3g}", name, s.norm);
  };
  for (int n = from; n <= to; ++n) {
    const TraceNode& node = trace.node(n);
    const bool has_name = node.kind == TraceNode::Kind::parameter && !node.name.empty();
    lines.push_back({has_name ? printable(node.name) : kind_text(node),
                     node.value.shape().rank() > 0 ? node.value.shape().text() : "",
                     norm("y", node.value), norm("g", node.gradient), where_text(node)});
    for (size_t i = 0; i < 5; ++i) widths[i] = std::max(widths[i], display_width(lines.back()[i]));
  }
  std::string text;
  const int digits = static_cast<int>(std::to_string(to).size());
  for (int n = from; n <= to; ++n) {
    std::string line = fmt::format("{} {:>{}}", n == marked ? "→" : " ", n, digits);
    for (size_t i = 0; i < 5; ++i)
      if (widths[i] > 0)
        line += "  " + align_left(lines[static_cast<size_t>(n - from)][i], widths[i]);
    line = fit(line.substr(0, line.find_last_not_of(' ') + 1), screen.width);
    text += (n == marked ? screen.bold(line) : line) + "\n";
  }
  return text;
}

std::string tree_view(const Trace& trace, const std::string& wanted, const Screen& screen) {
  struct Layer {
    std::vector<std::string> children;  // in order of appearance
    std::vector<int> ops, parameters;
    int count = 0, first = 0, last = 0;
  };
  std::map<std::string, Layer> layers{{"", {}}};
  auto add = [&](const std::string& path, int number, bool is_op) {
    for (std::string at = path; true;) {
      Layer& layer = layers[at];
      if (is_op) {
        if (layer.count++ == 0) layer.first = number;
        layer.last = number;
      }
      if (at.empty()) break;
      const size_t dot = at.rfind('.');
      const std::string parent = dot == at.npos ? "" : at.substr(0, dot);
      auto& children = layers[parent].children;
      if (std::ranges::find(children, at) == children.end()) children.push_back(at);
      at = parent;
    }
  };
  for (int n = 0; n < trace.size(); ++n) {
    const TraceNode& node = trace.node(n);
    if (node.kind == TraceNode::Kind::constant) continue;
    std::string path = node.path;
    if (node.kind == TraceNode::Kind::parameter) {
      const size_t dot = node.name.rfind('.');
      path = dot == node.name.npos ? "" : node.name.substr(0, dot);
    }
    add(path, n, node.kind == TraceNode::Kind::op);
    Layer& layer = layers[path];
    (node.kind == TraceNode::Kind::op ? layer.ops : layer.parameters).push_back(n);
  }
  const std::string root = [&] {
    if (wanted.empty() || layers.contains(wanted)) return wanted;
    for (const auto& [path, layer] : layers)
      if (lies_in(path, wanted)) return path;
    throw Error(fmt::format("there is no layer '{}' in this trace{}", wanted,
                            did_you_mean(wanted, layers_of(trace))));
  }();

  std::string text;
  const auto print = [&](const auto& self, const std::string& path, int depth) -> void {
    const Layer& layer = layers[path];
    const std::string indent(static_cast<size_t>(2 * depth), ' ');
    const size_t dot = path.rfind('.');
    std::string line = indent + (path.empty() ? "all" : printable(path.substr(dot + 1)));
    line = align_left(line, 28) + "  " +
           (layer.count == 0 ? "no ops"
                             : fmt::format("{}, nodes {} to {}", counted(layer.count, "op"),
                                           layer.first, layer.last));
    text += screen.bold(fit(line, screen.width)) + "\n";
    for (int n : layer.parameters) {
      const TraceNode& node = trace.node(n);
      const std::string name = node.name.substr(node.name.rfind('.') + 1);
      line =
          align_left(indent + "  · " + printable(name.empty() ? reference(trace, n) : name), 28) +
          fmt::format("  {} |y| {}", node.value.shape().text(),
                      number_text(node.value.summary().norm));
      if (node.gradient.defined())
        line += fmt::format(", |g| {}", number_text(node.gradient.summary().norm));
      text += fit(line, screen.width) + "\n";
    }
    constexpr size_t most = 40;
    if (!wanted.empty())
      for (size_t i = 0; i < layer.ops.size(); ++i) {
        const int n = layer.ops[i];
        if (i == most && layer.ops.size() > most + 1) {
          text += fmt::format("{}  and {} more; 'list {}' shows them\n", indent,
                              layer.ops.size() - i, n);
          break;
        }
        const TraceNode& node = trace.node(n);
        line = align_left(fmt::format("{}  {} {}", indent, n, kind_text(node)), 28) + "  " +
               node.value.shape().text();
        if (node.time >= 0) line += fmt::format(", time {}", node.time);
        text += fit(line, screen.width) + "\n";
      }
    for (const std::string& child : layer.children) self(self, child, depth + 1);
  };
  print(print, root, 0);
  return text;
}

std::string graph_view(const Trace& trace, int number, int depth, const Screen& screen) {
  std::string text;
  auto line = [&](int level, const std::string& branch, int n) {
    const TraceNode& node = trace.node(n);
    const std::string shape = node.value.shape().text();
    std::string result = fmt::format("  {:{}}{}{} · {}", "", 3 * level, branch, n, kind_text(node));
    if (node.value.shape().rank() == 0)
      result += " = " + number_text(node.value.summary().mean);
    else
      result += " " + shape;
    if (const std::string where = where_text(node); !where.empty()) result += " · " + where;
    return fit(result, screen.width);
  };
  const auto above = [&](const auto& self, int n, int level) -> void {
    const TraceNode& node = trace.node(n);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (level + 1 < depth) self(self, node.inputs[i], level + 1);
      text += line(level, fmt::format("╭ {} = ", operand(node, i)), node.inputs[i]) + "\n";
    }
  };
  const auto below = [&](const auto& self, int n, int level) -> void {
    const std::vector<int>& users = trace.users(n);
    for (size_t k = 0; k < users.size(); ++k) {
      if (k == 8) {
        text += fmt::format("  {:{}}╰ and {} more\n", "", 3 * level, users.size() - k);
        break;
      }
      const TraceNode& user = trace.node(users[k]);
      std::vector<std::string> letters;
      for (size_t i = 0; i < user.inputs.size(); ++i)
        if (user.inputs[i] == n) letters.push_back(operand(user, i));
      text += line(level, fmt::format("╰ {} of ", join(letters, ", ")), users[k]) + "\n";
      if (level + 1 < depth) self(self, users[k], level + 1);
    }
  };
  above(above, number, 0);
  text += screen.bold(line(0, "", number)) + "\n";
  below(below, number, 0);
  return text;
}

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

std::string attention_view(const Trace& trace, const std::string& layer) {
  terminal::AttentionMap map;
  std::string path;
  int64_t keys = 0;
  for (const AttentionWeights& attention : attention_weights(trace)) {
    const TraceNode& node = trace.node(attention.weights);
    const Shape& shape = node.value.shape();
    if (!node.value.is_whole() || (!layer.empty() && !lies_in(node.path, layer))) continue;
    if (map.weights.empty()) path = node.path, keys = shape.back();
    if (node.path != path || shape.back() != keys) continue;  // another layer's
    const std::vector<double> values = node.value.values().to_vector<double>();
    const int64_t rows = shape.rank() > 1 ? shape[shape.rank() - 2] : 1;
    for (int64_t row = 0; row < rows; ++row)  // of the batch's first sentence
      map.weights.emplace_back(values.begin() + row * keys, values.begin() + (row + 1) * keys);
  }
  if (map.weights.empty())
    throw Error(layer.empty() ? "there is no attention in this trace"
                              : fmt::format("there is no attention in '{}'", layer));
  auto names = [](const std::vector<std::string>& known, size_t count) {
    std::vector<std::string> result;
    for (size_t i = 0; i < count; ++i)
      result.push_back(known.size() == count ? known[i] : std::to_string(i));
    return result;
  };
  map.source = names(trace.keys, static_cast<size_t>(keys));
  map.target = names(trace.queries, map.weights.size());
  std::string text;
  for (const std::string& line : lines_of(terminal::attention_text(map)))
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  return text;
}

namespace {

/// A number where there is one, else the norm.
std::string size_text(const TraceTensor& x) {
  if (!x.defined()) return "none";
  if (x.shape().numel() == 1) return number_text(x.summary().mean);
  return fmt::format("norm {}", number_text(x.summary().norm));
}

}  // namespace

std::string change_view(const Trace& before, const Trace& after) {
  int values = 0, gradients = 0;
  for (const Difference& d : compare(before, after)) {
    values += d.what == Difference::What::value;
    gradients += d.what == Difference::What::gradient;
  }
  std::vector<std::array<std::string, 2>> lines;
  auto add = [&](const std::string& what, const TraceTensor& a, const TraceTensor& b) {
    lines.push_back({what, size_text(a) + " → " + size_text(b)});
  };
  const int last = after.size() - 1;
  add("result, " + reference(after, last), before.node(last).value, after.node(last).value);
  for (int n = 0; n < after.size() && lines.size() < 16; ++n)
    if (after.node(n).kind == TraceNode::Kind::parameter && before.node(n).gradient.defined())
      add("gradient of " + reference(after, n), before.node(n).gradient, after.node(n).gradient);
  int width = 0;
  for (const auto& line : lines) width = std::max(width, display_width(line[0]));
  std::string text;
  for (const auto& [what, change] : lines)
    text += fmt::format("  {}  {}\n", align_left(what, width), change);
  return text + fmt::format("  changed: {} and {}; 'undo' goes back\n", counted(values, "value"),
                            counted(gradients, "gradient"));
}

std::string comparison_view(const Trace& a, const Trace& b, const std::string& other,
                            const Screen& screen) {
  using What = Difference::What;
  const std::vector<Difference> differences = compare(a, b);
  if (differences.empty()) return "  no difference: the two traces are equal to the bit\n";
  auto at = [](const TraceTensor& x, int64_t element) {
    if (!x.defined()) return std::string("none");
    if (element < 0 || !x.is_whole()) return brief(x);
    return number_text(x.values().to_vector<double>()[static_cast<size_t>(element)]);
  };
  std::string text;
  constexpr size_t most = 16;
  for (size_t i = 0; i < differences.size(); ++i) {
    if (i == most && differences.size() > most + 1) {
      text += fmt::format("  and {} more\n", differences.size() - i);
      break;
    }
    const Difference& d = differences[i];
    const Trace& known = d.a >= 0 ? a : b;
    const int number = d.a >= 0 ? d.a : d.b;
    std::string line = "  " + reference(known, number);
    if (const std::string where = where_text(known.node(number)); !where.empty())
      line += " (" + where + ")";
    if (d.what == What::only_in_a) line += fmt::format(": only here, not {}", other);
    if (d.what == What::only_in_b) line += fmt::format(": only {}", other);
    if (d.what == What::formula)
      line += fmt::format(": y = {}, {} {}", printable(a.node(d.a).formula), other,
                          printable(b.node(d.b).formula));
    if (d.what == What::shape)
      line += fmt::format(": {}, {} {}", a.node(d.a).value.shape().text(), other,
                          b.node(d.b).value.shape().text());
    if (d.what == What::verdict) line += fmt::format(": another verdict {}", other);
    if (d.what == What::value || d.what == What::gradient) {
      const bool is_value = d.what == What::value;
      const TraceTensor& x = is_value ? a.node(d.a).value : a.node(d.a).gradient;
      const TraceTensor& y = is_value ? b.node(d.b).value : b.node(d.b).gradient;
      line += fmt::format(": {}{} {}, {} {}", is_value ? "value" : "gradient",
                          d.element < 0 ? "" : indices_text(x.shape(), d.element), at(x, d.element),
                          other, at(y, d.element));
    }
    line = fit(line, screen.width);
    text += (i == 0 ? screen.bold(line) : line) + "\n";
  }
  return fmt::format("  {}, in the order of the passes:\n",
                     counted(std::ssize(differences), "difference")) +
         text;
}

}  // namespace gradus::step
