#include "examples/step/views.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "core/compare.h"
#include "core/error.h"
#include "core/ops.h"
#include "examples/translate/display_width.h"
#include "examples/translate/draw.h"

namespace gradus::step {

using translate::align_left;
using translate::align_right;
using translate::display_width;
using translate::fit;
using translate::printable;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// "multiply", or what else the node is.
std::string kind_text(const TraceNode& node) {
  if (node.kind == TraceNode::Kind::step) return printable(node.op);
  if (node.kind == TraceNode::Kind::constant) return "constant";
  return node.name.empty() ? "computed before" : "parameter " + printable(node.name);
}

}  // namespace

std::string operand(const TraceNode& node, size_t input) {
  if (node.inputs.size() == 1) return "x";
  return input < 6 ? std::string(1, static_cast<char>('a' + input)) : fmt::format("input{}", input);
}

std::string derivative_of(const TraceNode& node, size_t input) {
  const std::string begin = fmt::format("dL/d{} = ", operand(node, input));
  const size_t at = node.derivative.find(begin);
  if (at == std::string::npos) return "";
  const size_t from = at + begin.size();
  return node.derivative.substr(from, node.derivative.find(", dL/d", from) - from);
}

std::string reference(const Trace& trace, int number) {
  const TraceNode& node = trace.node(number);
  if (!node.name.empty()) return printable(node.name);
  return fmt::format("{} {}", kind_text(node), number);
}

Labels labels_of(const Trace& trace, int number) {
  const TraceNode& node = trace.node(number);
  const auto keys = static_cast<int64_t>(trace.keys.size());
  const auto queries = static_cast<int64_t>(trace.queries.size());
  const Shape& shape = node.value.shape();
  if (node.op != "softmax" || keys == 0 || shape.rank() == 0 || shape.back() != keys) return {};
  Labels labels{{}, trace.keys};
  const int64_t rows = shape.rank() > 1 ? shape[shape.rank() - 2] : 1;
  if (rows == queries)
    labels.rows = trace.queries;
  else if (rows == 1 && node.time >= 0 && node.time < queries)
    labels.rows = {trace.queries[static_cast<size_t>(node.time)]};
  return labels;
}

namespace {

std::string join(const std::vector<std::string>& parts, const char* separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : separator) + part;
  return text;
}

std::string where_text(const TraceNode& node) {
  std::string text = node.path.empty() ? "" : "in " + printable(node.path);
  if (node.time >= 0) text += fmt::format("{}time {}", text.empty() ? "" : ", ", node.time);
  return text;
}

std::string source_text(const SourceLine& line) {
  return fmt::format("{}:{}", printable(line.file), line.line);
}

std::string references(const Trace& trace, const std::vector<int>& numbers) {
  std::vector<std::string> names;
  for (int number : numbers) {
    if (names.size() == 6) {
      names.push_back(fmt::format("{} more", numbers.size() - 6));
      break;
    }
    names.push_back(reference(trace, number));
  }
  return join(names, ", ");
}

struct Row {
  std::string what, who;
  TraceTensor tensor;
  Labels labels = {};
};

/// Where there is no room for brief().
std::string shorter(const TraceTensor& x) {
  const Summary& s = x.summary();
  return fmt::format("norm {}{}", number_text(s.norm),
                     s.nans + s.infinities == 0 ? ""
                     : s.nans > 0               ? ", NaN"
                                                : ", ∞");
}

/// Names in columns; a small matrix stands below its name, anything else beside it.
std::string rows_text(const std::vector<Row>& rows, const Screen& screen) {
  constexpr int widest = 32;  // a longer name gets a line of its own
  int what = 0, who = 0;
  for (const Row& row : rows) {
    if (const int width = display_width(row.what); width <= widest) what = std::max(what, width);
    who = std::max(who, display_width(row.who));
  }
  std::string text;
  for (const Row& row : rows) {
    const bool is_long = display_width(row.what) > what;
    if (is_long) text += "  " + fit(row.what, screen.width - 2) + "\n";
    std::string line = "  " + align_left(is_long ? "" : row.what, what) + "  ";
    if (who > 0) line += align_left(row.who, who) + "  ";
    const Shape& shape = row.tensor.shape();
    const int rank = shape.rank();
    const bool is_matrix = row.tensor.defined() && row.tensor.is_whole() && rank >= 2 &&
                           shape.numel() > 1 && shape[rank - 2] <= 8 && shape[rank - 1] <= 8 &&
                           shape[rank - 2] * shape[rank - 1] == shape.numel();
    if (!is_matrix) {
      const std::string all = brief(row.tensor);
      const bool fits = display_width(line + all) <= screen.width;
      text += fit(line + (fits ? all : shorter(row.tensor)), screen.width) + "\n";
      continue;
    }
    text += line + shape.text() + "\n" +
            indented(table(row.tensor.values(), screen.width - 6, 8, row.labels.rows,
                           row.labels.columns),
                     6);
  }
  return text;
}

std::string header(const Trace& trace, const Place& place, const Screen& screen) {
  const TraceNode& node = trace.node(place.node);
  std::string left =
      fmt::format("{} · node {} of {} · {}", place.is_backward ? "backward" : "forward", place.node,
                  trace.size() - 1, kind_text(node));
  if (const std::string where = where_text(node); !where.empty()) left += " · " + where;
  if (node.source.empty()) return screen.bold(left) + "\n";
  const SourceLine& line = node.source[0];
  const std::string right =
      source_text({line.file.substr(line.file.rfind('/') + 1), line.line, ""});
  const int gap = screen.width - display_width(left) - display_width(right);
  if (gap < 2)
    return screen.bold(left) + "\n" + screen.faint(align_right(right, screen.width)) + "\n";
  return screen.bold(left) + std::string(static_cast<size_t>(gap), ' ') + screen.faint(right) +
         "\n";
}

}  // namespace

std::string verdict_text(const Trace& trace, int number, const Screen& screen) {
  const TraceNode& node = trace.node(number);
  if (!node.verdict) return "";
  const Verdict& v = *node.verdict;
  if (v.result == Verdict::Result::unknown)
    return fmt::format("  ? not checked: {}\n", printable(v.reason));
  const std::string checked =
      fmt::format("{}{}",
                  v.checked == v.count ? counted(v.count, "element")
                                       : fmt::format("{} of {} elements", v.checked, v.count),
                  v.reason.empty() ? "" : "; " + printable(v.reason));
  if (v.result == Verdict::Result::agrees)
    return "  " + screen.good("✓") +
           fmt::format(" the gradient rule agrees with differences ({})\n", checked);
  std::string text = "  " + screen.bad("✗") +
                     fmt::format(" the gradient rule disagrees with differences ({})\n", checked);
  if (v.input < 0 || v.input >= static_cast<int>(node.inputs.size())) return text;
  const auto input = static_cast<size_t>(v.input);
  const Shape& shape = trace.node(node.inputs[input]).value.shape();
  return text + fmt::format("    dL/d{}{}: the rule says {}, the difference {}\n",
                            operand(node, input),
                            v.element < 0 ? " along one direction" : indices_text(shape, v.element),
                            number_text(v.rule), number_text(v.difference));
}

std::string place_view(const Trace& trace, const Place& place, const Screen& screen) {
  const TraceNode& node = trace.node(place.node);
  std::string text = header(trace, place, screen);
  std::vector<Row> rows;
  if (!place.is_backward) {
    if (!node.formula.empty()) text += wrapped("y = " + printable(node.formula), screen.width, 2);
    for (size_t i = 0; i < node.inputs.size(); ++i)
      rows.push_back({operand(node, i), reference(trace, node.inputs[i]),
                      trace.node(node.inputs[i]).value, labels_of(trace, node.inputs[i])});
    rows.push_back(
        {node.inputs.empty() ? "value" : "y", "", node.value, labels_of(trace, place.node)});
    return text + rows_text(rows, screen) + verdict_text(trace, place.node, screen);
  }
  if (!node.formula.empty()) text += wrapped("y = " + printable(node.formula), screen.width, 2);
  const std::vector<int>& users = trace.users(place.node);
  std::vector<int> senders;
  for (int user : users)
    if (trace.node(user).gradient.defined()) senders.push_back(user);
  rows.push_back({node.inputs.empty() ? "gradient" : "g = dL/dy",
                  senders.empty()       ? ""
                  : senders.size() <= 2 ? "from " + references(trace, senders)
                                        : "from " + counted(std::ssize(senders), "step"),
                  node.gradient, labels_of(trace, place.node)});
  const std::vector<TraceTensor> sent = trace.sent(place.node);
  bool is_by_input = false;
  for (size_t i = 0; i < sent.size(); ++i) {
    if (!sent[i].defined()) continue;
    const std::string rule = derivative_of(node, i);
    is_by_input = is_by_input || !rule.empty();
    rows.push_back({fmt::format("dL/d{}{}", operand(node, i), rule.empty() ? "" : " = " + rule),
                    "to " + reference(trace, node.inputs[i]), sent[i],
                    labels_of(trace, node.inputs[i])});
  }
  if (!is_by_input) text += wrapped(printable(node.derivative), screen.width, 2);
  return text + rows_text(rows, screen) + verdict_text(trace, place.node, screen);
}

std::string details_view(const Trace& trace, const Place& place, const Screen& screen) {
  const TraceNode& node = trace.node(place.node);
  std::string text = place_view(trace, place, screen);
  auto line = [&](const char* what, const std::string& value) {
    if (!value.empty()) text += fmt::format("  {:11}{}\n", what, value);
  };
  line("used by", references(trace, trace.users(place.node)));
  line("reads", references(trace, node.parameters));
  for (size_t i = 0; i < node.source.size(); ++i) {
    const SourceLine& source = node.source[i];
    line(i == 0 ? "called in" : "",
         fmt::format("{}{}{}", source_text(source), source.function.empty() ? "" : "  ",
                     printable(source.function)));
  }
  return text;
}

std::string formula_view(const Trace& trace, int number) {
  const TraceNode& node = trace.node(number);
  if (node.inputs.empty())
    return fmt::format("  {} has no formula: the computation begins with it\n",
                       reference(trace, number));
  std::string text = fmt::format("  y = {}\n", printable(node.formula));
  size_t begin = 0;
  const std::string derivative = printable(node.derivative);
  while (begin < derivative.size()) {  // a line per input
    size_t end = derivative.find(", dL/d", begin);
    if (derivative.find(" = ", begin) > end) end = derivative.npos;
    text += "  " + derivative.substr(begin, end - begin) + "\n";
    begin = end == derivative.npos ? end : end + 2;
  }
  std::vector<std::string> letters;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    letters.push_back(fmt::format("{} = {}", operand(node, i), reference(trace, node.inputs[i])));
  return text + "  where " + join(letters, ", ") + ", g = dL/dy\n";
}

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
    std::vector<int> steps, parameters;
    int count = 0, first = 0, last = 0;
  };
  std::map<std::string, Layer> layers{{"", {}}};
  auto add = [&](const std::string& path, int number, bool is_step) {
    for (std::string at = path; true;) {
      Layer& layer = layers[at];
      if (is_step) {
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
    add(path, n, node.kind == TraceNode::Kind::step);
    Layer& layer = layers[path];
    (node.kind == TraceNode::Kind::step ? layer.steps : layer.parameters).push_back(n);
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
           (layer.count == 0 ? "no steps"
                             : fmt::format("{}, nodes {} to {}", counted(layer.count, "step"),
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
      for (size_t i = 0; i < layer.steps.size(); ++i) {
        const int n = layer.steps[i];
        if (i == most && layer.steps.size() > most + 1) {
          text += fmt::format("{}  and {} more; 'list {}' shows them\n", indent,
                              layer.steps.size() - i, n);
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

std::string attention_view(const Trace& trace, const std::string& layer) {
  translate::AttentionMap map;
  std::string path;
  int64_t keys = 0;
  for (int n = 0; n < trace.size(); ++n) {
    const TraceNode& node = trace.node(n);
    const Shape& shape = node.value.shape();
    if (node.op != "softmax" || !node.value.is_whole() || shape.rank() == 0) continue;
    if (!lies_in(node.path, layer.empty() ? "attention" : layer) &&
        labels_of(trace, n).columns.empty())
      continue;
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
  for (const std::string& line : lines_of(translate::attention_text(map)))
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  return text;
}

// --- changes ------------------------------------------------------------------------------------

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
  std::vector<Row> rows;
  auto row = [&](const std::string& what, const TraceTensor& a, const TraceTensor& b) {
    rows.push_back({what, size_text(a) + " → " + size_text(b), {}});
  };
  const int last = after.size() - 1;
  row("result, " + reference(after, last), before.node(last).value, after.node(last).value);
  for (int n = 0; n < after.size() && rows.size() < 16; ++n)
    if (after.node(n).kind == TraceNode::Kind::parameter && before.node(n).gradient.defined())
      row("gradient of " + reference(after, n), before.node(n).gradient, after.node(n).gradient);
  int width = 0;
  for (const Row& r : rows) width = std::max(width, display_width(r.what));
  std::string text;
  for (const Row& r : rows) text += fmt::format("  {}  {}\n", align_left(r.what, width), r.who);
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
  return fmt::format("  {}, the first of them first:\n",
                     counted(std::ssize(differences), "difference")) +
         text;
}

}  // namespace gradus::step
