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
    const Summary::Figures figures = x.summary().all();
    return x.shape().rank() == 0 ? fmt::format("{} {}", name, number_text(figures.mean, 3))
                                 : fmt::format("|{}| {}", name, number_text(figures.norm, 3));
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

namespace {

/// A layer and what it holds.
struct Layer {
  std::string_view path, name;  // "decoder.attention", "attention"
  int parent = -1;
  std::vector<int> children, ops, parameters;  // in order of appearance
  int count = 0, first = 0, last = 0;          // ops here and in the layers within
};

/// All layers of a trace, the whole first. Their number, and the time that it takes to find them,
/// grow with the length of all paths.
class Layers {
 public:
  explicit Layers(const Trace& trace) {
    for (int n = 0; n < trace.size(); ++n) {
      const TraceNode& node = trace.node(n);
      if (node.kind == TraceNode::Kind::constant) continue;
      const bool is_op = node.kind == TraceNode::Kind::op;
      const size_t dot = node.name.rfind('.');
      const int layer = find(is_op                   ? std::string_view(node.path)
                             : dot == node.name.npos ? std::string_view()
                                                     : std::string_view(node.name).substr(0, dot));
      (is_op ? at(layer).ops : at(layer).parameters).push_back(n);
      for (int l = layer; is_op && l >= 0; l = at(l).parent) {
        if (at(l).count++ == 0) at(l).first = n;
        at(l).last = n;
      }
    }
  }

  const Layer& operator[](int layer) const { return all_[static_cast<size_t>(layer)]; }
  /// The first layer that `accepts`, in the order of the paths; −1 if there is none.
  template <class F>
  int first(F accepts) const {
    int result = -1;
    for (int l = 0; l < static_cast<int>(all_.size()); ++l)
      if (accepts((*this)[l].path) && (result < 0 || (*this)[l].path < (*this)[result].path))
        result = l;
    return result;
  }

 private:
  Layer& at(int layer) { return all_[static_cast<size_t>(layer)]; }

  /// The layer of this path, with the layers around it, made where they are missing.
  int find(std::string_view path) {
    int layer = 0;
    for (size_t begin = 0; begin < path.size();) {
      const size_t end = std::min(path.find('.', begin), path.size());
      const std::string_view name = path.substr(begin, end - begin);
      const auto [found, is_new] =
          children_.try_emplace({layer, name}, static_cast<int>(all_.size()));
      if (is_new) {
        all_.push_back({path.substr(0, end), name, layer, {}, {}, {}});
        at(layer).children.push_back(found->second);
      }
      layer = found->second;
      begin = end + 1;
    }
    return layer;
  }

  std::vector<Layer> all_{1};
  std::map<std::pair<int, std::string_view>, int> children_;
};

}  // namespace

std::string tree_view(const Trace& trace, const std::string& wanted, const Screen& screen) {
  const Layers layers(trace);
  int root = layers.first([&](std::string_view path) { return path == wanted; });
  if (root < 0) root = layers.first([&](std::string_view path) { return lies_in(path, wanted); });
  if (root < 0)
    throw Error(said("there is no {} '{}' in this trace{}", said("layer"), wanted,
                     did_you_mean(wanted, layers_of(trace))));

  std::string text;
  const auto print = [&](const Layer& layer, int depth) {
    const std::string indent(static_cast<size_t>(2 * std::min(depth, screen.width)), ' ');
    std::string line = indent + (layer.path.empty() ? said("all") : printable(layer.name));
    line = align_left(line, 28) + "  " +
           (layer.count == 0
                ? said("no ops")
                : said("{}, nodes {} to {}", counted(layer.count, "op"), layer.first, layer.last));
    text += screen.bold(fit(line, screen.width)) + "\n";
    for (int n : layer.parameters) {
      const TraceNode& node = trace.node(n);
      const std::string name = node.name.substr(node.name.rfind('.') + 1);
      line =
          align_left(indent + "  · " + printable(name.empty() ? reference(trace, n) : name), 28) +
          fmt::format("  {} |y| {}", node.value.shape().text(),
                      number_text(node.value.summary().all().norm));
      if (node.gradient.defined())
        line += fmt::format(", |g| {}", number_text(node.gradient.summary().all().norm));
      text += fit(line, screen.width) + "\n";
    }
    constexpr size_t most = 40;
    if (wanted.empty()) return;
    for (size_t i = 0; i < layer.ops.size(); ++i) {
      const int n = layer.ops[i];
      if (i == most && layer.ops.size() > most + 1) {
        text += indent + said("  and {} more; 'list {}' shows them\n", layer.ops.size() - i, n);
        break;
      }
      const TraceNode& node = trace.node(n);
      line = align_left(fmt::format("{}  {} {}", indent, n, kind_text(node)), 28) + "  " +
             node.value.shape().text();
      if (node.time >= 0) line += said(", ") + said("time {}", node.time);
      text += fit(line, screen.width) + "\n";
    }
  };
  std::vector<std::pair<int, int>> waiting{{root, 0}};  // layers and their depth, the next one last
  while (!waiting.empty()) {
    const auto [number, depth] = waiting.back();
    waiting.pop_back();
    const Layer& layer = layers[number];
    print(layer, depth);
    for (auto child = layer.children.rbegin(); child != layer.children.rend(); ++child)
      waiting.emplace_back(*child, depth + 1);
  }
  return text;
}

std::string graph_view(const Trace& trace, int number, int depth, const Screen& screen) {
  auto line = [&](int level, const std::string& branch, int n) {
    const TraceNode& node = trace.node(n);
    const bool is_scalar = node.value.shape().rank() == 0;
    const std::string where = where_text(node);
    return fit(fmt::format("  {:{}}{}{} · {}{} {}{}{}", "", 3 * std::min(level, screen.width),
                           branch, n, kind_text(node), is_scalar ? " =" : "",
                           is_scalar ? number_text(node.value.summary().all().mean)
                                     : node.value.shape().text(),
                           where.empty() ? "" : " · ", where),
               screen.width);
  };
  struct Branch {
    int node, level;
    std::string label;  // "╭ a = "
  };
  /// Appends all branches from `number` on, each node's own branches once: `branches` gives those
  /// of a node in the order in which they stand below each other.
  const auto walk = [&](auto branches, const std::string& elsewhere) {
    std::vector<std::string> lines;
    std::vector<bool> is_shown(static_cast<size_t>(trace.size()), false);
    std::vector<Branch> waiting = branches(number, 0);
    std::reverse(waiting.begin(), waiting.end());
    while (!waiting.empty()) {
      const Branch branch = std::move(waiting.back());
      waiting.pop_back();
      if (branch.node < 0) {
        lines.push_back(
            fmt::format("  {:{}}{}", "", 3 * std::min(branch.level, screen.width), branch.label));
        continue;
      }
      std::string text = line(branch.level, branch.label, branch.node);
      if (branch.level + 1 < depth) {
        std::vector<Branch> further = branches(branch.node, branch.level + 1);
        if (!further.empty() && is_shown[static_cast<size_t>(branch.node)])
          text = fit(text + elsewhere, screen.width);
        else
          waiting.insert(waiting.end(), further.rbegin(), further.rend());
        is_shown[static_cast<size_t>(branch.node)] = true;
      }
      lines.push_back(std::move(text));
    }
    return lines;
  };
  // Above, what a node is made of stands before it: the last line first.
  std::vector<std::string> above = walk(
      [&](int n, int level) {
        const TraceNode& node = trace.node(n);
        std::vector<Branch> result;
        for (size_t i = node.inputs.size(); i-- > 0;)
          result.push_back({node.inputs[i], level, fmt::format("╭ {} = ", operand(node, i))});
        return result;
      },
      said(" · its inputs: below"));
  const std::vector<std::string> below = walk(
      [&](int n, int level) {
        const std::vector<int>& users = trace.users(n);
        std::vector<Branch> result;
        for (size_t k = 0; k < users.size(); ++k) {
          if (k == 8) {
            result.push_back({-1, level, said("╰ and {} more", users.size() - k)});
            break;
          }
          const TraceNode& user = trace.node(users[k]);
          std::vector<std::string> letters;
          for (size_t i = 0; i < user.inputs.size(); ++i)
            if (user.inputs[i] == n) letters.push_back(operand(user, i));
          result.push_back({users[k], level, said("╰ {} of ", listed(letters))});
        }
        return result;
      },
      said(" · its users: above"));
  std::string text;
  for (auto each = above.rbegin(); each != above.rend(); ++each) text += *each + "\n";
  text += screen.bold(line(0, "", number)) + "\n";
  for (const std::string& each : below) text += each + "\n";
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
  std::vector<std::string> layers;  // that have attention
  for (const AttentionWeights& attention : attention_weights(trace)) {
    const TraceNode& node = trace.node(attention.weights);
    const Shape& shape = node.value.shape();
    if (std::ranges::find(layers, node.path) == layers.end()) layers.push_back(node.path);
    if (!node.value.is_whole() || (!layer.empty() && !lies_in(node.path, layer))) continue;
    if (map.weights.empty()) path = node.path, keys = shape.back();
    if (node.path != path || shape.back() != keys) continue;  // another layer's
    const std::vector<double> values = node.value.values().to_vector<double>();
    const int64_t rows = shape.rank() > 1 ? shape[shape.rank() - 2] : 1;
    for (int64_t row = 0; row < rows; ++row)  // of the batch's first sentence
      map.weights.emplace_back(values.begin() + row * keys, values.begin() + (row + 1) * keys);
  }
  std::vector<std::string> others;
  for (const std::string& each : layers)
    if (each != path || map.weights.empty())
      others.push_back(each.empty() ? said("outside of any layer") : printable(each));
  if (layers.empty()) throw Error(said("there is no attention in this trace"));
  if (map.weights.empty() && layer.empty())
    throw Error(said("of the attention weights only summaries were kept"));
  if (map.weights.empty())
    throw Error(
        said("there is no attention in '{}'; there is some: {}", printable(layer), listed(others)));
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
  if (layer.empty() && !others.empty())
    text += said("of {}; there is more: {}\n",
                 path.empty() ? said("what lies outside of any layer") : printable(path),
                 listed(others));
  return text;
}

namespace {

/// A number where there is one, else the norm.
std::string size_text(const TraceTensor& x) {
  if (!x.defined()) return said("none");
  const Summary::Figures figures = x.summary().all();
  return x.shape().numel() == 1 ? number_text(figures.mean)
                                : said("norm {}", number_text(figures.norm));
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
  add(said("result, {}", reference(after, last)), before.node(last).value, after.node(last).value);
  for (int n = 0; n < after.size() && lines.size() < 16; ++n)
    if (after.node(n).kind == TraceNode::Kind::parameter && before.node(n).gradient.defined())
      add(said("gradient of {}", reference(after, n)), before.node(n).gradient,
          after.node(n).gradient);
  int width = 0;
  for (const auto& line : lines) width = std::max(width, display_width(line[0]));
  std::string text;
  for (const auto& [what, change] : lines)
    text += fmt::format("  {}  {}\n", align_left(what, width), change);
  return text + said("  changed: {} and {}; 'undo' goes back\n", counted(values, "value"),
                     counted(gradients, "gradient"));
}

std::string closing_view(const Trace& trace, int number, const Trace& parts, const Screen& screen) {
  const TraceNode& node = trace.node(number);
  const std::vector<TraceTensor> sent = trace.sent(number);
  std::vector<std::array<std::string, 4>> lines{
      {"", said("in one op"), said("made of parts"), said("apart")}};
  const auto add = [&](const std::string& what, const TraceTensor& whole, const TraceTensor& made) {
    if (!whole.defined() || !made.defined()) return;
    lines.push_back({what, size_text(whole), size_text(made),
                     number_text(largest_difference(whole.values(), made.values()), 2)});
  };
  add("y", node.value, parts.node(parts.size() - 1).value);
  for (const TraceNode& part : parts.nodes())
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (part.kind == TraceNode::Kind::parameter && part.name == operand(node, i))
        add("dL/d" + part.name, sent[i], part.gradient);
  std::array<int, 4> widths{};
  for (const auto& line : lines)
    for (size_t i = 0; i < 4; ++i) widths[i] = std::max(widths[i], display_width(line[i]));
  std::string text = said(
      "{} is closed; its figures, and those of the {} that define it:\n", reference(trace, number),
      counted(std::ranges::count(parts.nodes(), TraceNode::Kind::op, &TraceNode::kind), "op"));
  for (const auto& line : lines) {
    std::string row = " ";
    for (size_t i = 0; i < 4; ++i) row += fmt::format(" {} ", align_left(line[i], widths[i]));
    text += fit(row.substr(0, row.find_last_not_of(' ') + 1), screen.width) + "\n";
  }
  return text;
}

std::string comparison_view(const Trace& a, const Trace& b, const std::string& other,
                            const Screen& screen, const ComparisonOptions& options) {
  using What = Difference::What;
  const std::vector<Difference> differences = compare(a, b, options.tolerance);
  if (differences.empty() && options.tolerance == 0)
    return said("  no difference: the two traces are equal to the bit\n");
  if (differences.empty())
    return said("  no difference beyond {} of the largest number of a tensor\n", options.tolerance);
  auto at = [](const TraceTensor& x, int64_t element) {
    if (!x.defined()) return said("none");
    if (element < 0 || !x.is_whole()) return brief(x);
    return number_text(x.values().to_vector<double>()[static_cast<size_t>(element)]);
  };
  std::string text;
  constexpr size_t most = 16;
  for (size_t i = 0; i < differences.size(); ++i) {
    if (!options.all && i == most && differences.size() > most + 1) {
      text += said("  and {} more; with 'all' at the end, 'compare' lists them\n",
                   differences.size() - i);
      break;
    }
    const Difference& d = differences[i];
    const Trace& known = d.a >= 0 ? a : b;
    const int number = d.a >= 0 ? d.a : d.b;
    std::string line = "  " + reference(known, number);
    if (const std::string where = where_text(known.node(number)); !where.empty())
      line += said(" ({})", where);
    if (d.what == What::only_in_a) line += said(": only here, not {}", other);
    if (d.what == What::only_in_b) line += said(": only {}", other);
    if (d.what == What::formula)
      line += said(": y = {}, {} {}", printable(phrase(a.node(d.a).formula)), other,
                   printable(phrase(b.node(d.b).formula)));
    if (d.what == What::shape)
      line += said(": {}, {} {}", a.node(d.a).value.shape().text(), other,
                   b.node(d.b).value.shape().text());
    if (d.what == What::verdict) line += said(": another verdict {}", other);
    if (d.what == What::value || d.what == What::gradient) {
      const bool is_value = d.what == What::value;
      const TraceTensor& x = is_value ? a.node(d.a).value : a.node(d.a).gradient;
      const TraceTensor& y = is_value ? b.node(d.b).value : b.node(d.b).gradient;
      line += said(": {}{} {}, {} {}", is_value ? said("value") : said("gradient"),
                   d.element < 0 ? "" : indices_text(x.shape(), d.element), at(x, d.element), other,
                   at(y, d.element));
    }
    line = fit(line, screen.width);
    text += (i == 0 ? screen.bold(line) : line) + "\n";
  }
  return said("  {}, in the order of the passes:\n",
              counted(std::ssize(differences), "difference")) +
         text;
}

}  // namespace gradus::step
