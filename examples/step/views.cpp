#include "examples/step/views.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "core/trace/not_finite.h"
#include "examples/step/attention.h"
#include "examples/terminal/display_width.h"

namespace gradus::step {

using terminal::align_left;
using terminal::align_right;
using terminal::display_width;
using terminal::fit;
using terminal::printable;

std::string kind_text(const TraceNode& node) {
  if (node.kind == TraceNode::Kind::op)
    return node.name.empty() ? printable(node.op) : printable(node.name + " = " + node.op);
  if (node.kind == TraceNode::Kind::constant) return said("constant");
  return node.name.empty() ? said("computed before") : said("parameter {}", printable(node.name));
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) (text += text.empty() ? "" : separator) += part;
  return text;
}

std::string listed(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text = text.empty() ? part : said("{}, {}", text, part);
  return text;
}

std::string where_text(const TraceNode& node) {
  std::string text = node.path.empty() ? "" : said("in {}", printable(node.path));
  if (node.time >= 0) text += (text.empty() ? "" : said(", ")) + said("time {}", node.time);
  return text;
}

std::string operand(const TraceNode& node, size_t input) {
  return operand_name(static_cast<int>(input), static_cast<int>(node.inputs.size()));
}

std::string derivative_of(const TraceNode& node, size_t input) {
  return input < node.derivatives.size() ? printable(phrase(node.derivatives[input])) : "";
}

std::string reference(const Trace& trace, int number) {
  const TraceNode& node = trace.node(number);
  if (!node.name.empty()) return printable(node.name);
  return fmt::format("{} {}", kind_text(node), number);
}

std::string description(const Trace& trace, int number) {
  const TraceNode& node = trace.node(number);
  std::string what = node.kind == TraceNode::Kind::op          ? printable(node.op)
                     : node.kind == TraceNode::Kind::parameter ? said("parameter")
                                                               : said("constant");
  if (!node.name.empty()) what += said(" '{}'", printable(node.name));
  const std::string where = where_text(node);
  return where.empty() ? said("{}, node {}", what, number)
                       : said("{}, node {}, {}", what, number, where);
}

Labels labels_of(const Trace& trace, int number) {
  const TraceNode& node = trace.node(number);
  const auto keys = static_cast<int64_t>(trace.keys.size());
  const auto queries = static_cast<int64_t>(trace.queries.size());
  const Shape& shape = node.value.shape();
  if (keys == 0 || shape.rank() == 0 || shape.back() != keys ||
      !is_attention_weights(trace, number))
    return {};
  Labels labels{{}, trace.keys};
  const int64_t rows = shape.rank() > 1 ? shape[shape.rank() - 2] : 1;
  if (rows == queries)
    labels.rows = trace.queries;
  else if (rows == 1 && node.time >= 0 && node.time < queries)
    labels.rows = {trace.queries[static_cast<size_t>(node.time)]};
  return labels;
}

namespace {

std::string source_text(const SourceLine& line) {
  return fmt::format("{}:{}", printable(line.file), line.line);
}

std::string references(const Trace& trace, const std::vector<int>& numbers) {
  std::vector<std::string> names;
  for (int number : numbers) {
    if (names.size() == 6) {
      names.push_back(said("{} more", numbers.size() - 6));
      break;
    }
    names.push_back(reference(trace, number));
  }
  return listed(names);
}

/// "y = a part of x, with axis = 0, begin = 1"
std::string formula_text(const TraceNode& node) {
  if (node.formula.empty() && node.attributes.empty()) return "";
  std::vector<std::string> attributes;
  for (const Attribute& attribute : node.attributes)
    attributes.push_back(printable(attribute.name) + " = " + printable(attribute.text()));
  const std::string formula =
      node.formula.empty() ? printable(node.op) : printable(phrase(node.formula));
  if (attributes.empty()) return "y = " + formula;
  return said("y = {}, with {}", formula, join(attributes, said(", ")));
}

/// "by matmul 12 for dL/da; by add 13 for dL/da, dL/db"
std::string kept_text(const Trace& trace, const TraceNode& node) {
  constexpr size_t most = 6;
  std::vector<std::string> readers;
  for (const TraceNode::Reader& reader : node.kept) {
    if (readers.size() == most) {
      readers.push_back(said("{} more", node.kept.size() - most));
      break;
    }
    std::vector<std::string> derivatives;
    for (int input : reader.inputs)
      derivatives.push_back("dL/d" + operand(trace.node(reader.node), static_cast<size_t>(input)));
    const std::string by = reference(trace, reader.node);
    readers.push_back(derivatives.empty() ? said("by {}", by)
                                          : said("by {} for {}", by, listed(derivatives)));
  }
  return join(readers, said("; "));
}

struct Row {
  std::string what, who;
  TraceTensor tensor;
  Labels labels = {};
};

/// Where there is no room for brief().
std::string shorter(const TraceTensor& x) {
  return said("norm {}", number_text(x.summary().all().norm));
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
      said("{} · node {} of {} · {}", place.is_backward ? said("backward") : said("forward"),
           place.node, trace.size() - 1, kind_text(node));
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

/// Where NaN or an infinity begins.
std::string break_text(const Trace& trace, const Place& place, const Screen& screen) {
  if (!(place.is_backward ? gradient_breaks : value_breaks)(trace, place.node)) return "";
  const TraceNode& node = trace.node(place.node);
  int worst = worst_number(place.is_backward ? node.gradient : node.value);
  if (place.is_backward)
    for (const TraceTensor& sent : trace.sent(place.node))
      worst = std::max(worst, worst_number(sent));
  return said("  {} {} begins here\n", screen.bad("!"), worst == 2 ? "NaN" : "∞");
}

}  // namespace

std::string reason_text(const Verdict& verdict) {
  constexpr std::string_view apart = " and took no part";
  std::string rest = verdict.reason;
  const bool took_no_part = rest.ends_with(apart);
  if (took_no_part) rest.resize(rest.size() - apart.size());
  std::string text;
  char count[20] = "", all[20] = "";
  for (int end = 0; !rest.empty(); end = 0) {
    std::sscanf(rest.c_str(), "%19[0-9] of %19[0-9] elements of the value %n", count, all, &end);
    const std::string what = rest.substr(static_cast<size_t>(end));
    const bool is_infinite = what.starts_with("are not finite");
    if (end == 0 || (!is_infinite && !what.starts_with("lie on a kink")))
      return printable(phrase(verdict.reason));  // something else
    text += (text.empty() ? "" : said(", ")) +
            (is_infinite ? said("{} of {} elements of the value are not finite", count, all)
                         : said("{} of {} elements of the value lie on a kink", count, all));
    const size_t next = what.find(", ");
    rest = next == what.npos ? "" : what.substr(next + 2);
  }
  return text + (took_no_part ? said(" and took no part") : "");
}

std::string verdict_text(const Trace& trace, int number, const Screen& screen) {
  const TraceNode& node = trace.node(number);
  if (!node.verdict) return "";
  const Verdict& v = *node.verdict;
  if (v.result == Verdict::Result::unknown) return said("  ? not checked: {}\n", reason_text(v));
  if (v.result == Verdict::Result::not_finite)
    return said("  ∞ not checked: not finite ({})\n", reason_text(v));
  const std::string checked =
      (v.checked == v.count ? counted(v.count, "element")
                            : said("{} of {} elements", v.checked, v.count)) +
      (v.reason.empty() ? "" : said("; ") + reason_text(v));
  if (v.result == Verdict::Result::agrees)
    return said("  {} the gradient rule agrees with differences ({})\n", screen.good("✓"), checked);
  std::string text =
      said("  {} the gradient rule disagrees with differences ({})\n", screen.bad("✗"), checked);
  if (v.input < 0 || v.input >= static_cast<int>(node.inputs.size())) return text;
  const auto input = static_cast<size_t>(v.input);
  const Shape& shape = trace.node(node.inputs[input]).value.shape();
  return text + said("    dL/d{}{}: the rule says {}, the difference {}\n", operand(node, input),
                     v.element < 0 ? said(" along one direction") : indices_text(shape, v.element),
                     number_text(v.rule), number_text(v.difference));
}

std::string place_view(const Trace& trace, const Place& place, const Screen& screen) {
  const TraceNode& node = trace.node(place.node);
  std::string text = header(trace, place, screen);
  std::vector<Row> rows;
  if (!place.is_backward) {
    text += wrapped(formula_text(node), screen.width, 2);
    for (size_t i = 0; i < node.inputs.size(); ++i)
      rows.push_back({operand(node, i), reference(trace, node.inputs[i]),
                      trace.node(node.inputs[i]).value, labels_of(trace, node.inputs[i])});
    rows.push_back(
        {node.inputs.empty() ? said("value") : "y", "", node.value, labels_of(trace, place.node)});
    return text + rows_text(rows, screen) + break_text(trace, place, screen) +
           verdict_text(trace, place.node, screen);
  }
  text += wrapped(formula_text(node), screen.width, 2);
  const std::vector<int>& users = trace.users(place.node);
  std::vector<int> senders;
  for (int user : users)
    if (trace.node(user).gradient.defined()) senders.push_back(user);
  rows.push_back({node.inputs.empty() ? said("gradient") : "g = dL/dy",
                  senders.empty()       ? ""
                  : senders.size() <= 2 ? said("from {}", references(trace, senders))
                                        : said("from {}", counted(std::ssize(senders), "node")),
                  node.gradient, labels_of(trace, place.node)});
  const std::vector<TraceTensor> sent = trace.sent(place.node);
  for (size_t i = 0; i < sent.size(); ++i) {
    if (!sent[i].defined()) continue;
    const std::string rule = derivative_of(node, i);
    rows.push_back({fmt::format("dL/d{}{}", operand(node, i), rule.empty() ? "" : " = " + rule),
                    said("to {}", reference(trace, node.inputs[i])), sent[i],
                    labels_of(trace, node.inputs[i])});
  }
  return text + rows_text(rows, screen) + break_text(trace, place, screen) +
         verdict_text(trace, place.node, screen);
}

std::string details_view(const Trace& trace, const Place& place, const Screen& screen) {
  const TraceNode& node = trace.node(place.node);
  std::string text = place_view(trace, place, screen);
  auto line = [&](const std::string& what, const std::string& value) {
    if (!value.empty()) text += "  " + align_left(what, 11) + value + "\n";
  };
  line(said("used by"), references(trace, trace.users(place.node)));
  line(said("reads"), references(trace, node.parameters));
  if (const std::string kept = kept_text(trace, node); !kept.empty())
    text += wrapped(said("kept for the backward pass: {}", kept), screen.width, 2);
  for (size_t i = 0; i < node.source.size(); ++i) {
    const SourceLine& source = node.source[i];
    line(i == 0 ? said("called in") : "",
         fmt::format("{}{}{}", source_text(source), source.function.empty() ? "" : "  ",
                     printable(source.function)));
  }
  return text;
}

std::string formula_view(const Trace& trace, int number) {
  const TraceNode& node = trace.node(number);
  if (node.inputs.empty())
    return said("  {} has no formula: the computation begins with it\n", reference(trace, number));
  std::string text = fmt::format("  {}\n", formula_text(node));
  for (size_t i = 0; i < node.derivatives.size(); ++i)
    if (!node.derivatives[i].empty())
      text += fmt::format("  dL/d{} = {}\n", operand(node, i), derivative_of(node, i));
  std::vector<std::string> letters;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    letters.push_back(fmt::format("{} = {}", operand(node, i), reference(trace, node.inputs[i])));
  return text + said("  where {}, g = dL/dy\n", join(letters, said(", ")));
}

}  // namespace gradus::step
