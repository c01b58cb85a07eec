#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "core/tensor/error.h"
#include "core/trace/compare.h"
#include "core/trace/trace_json.h"
#include "core/trace/verdict.h"
#include "examples/step/attention.h"
#include "examples/step/base64.h"
#include "examples/step/checkup.h"
#include "examples/step/json_text.h"
#include "examples/step/layout.h"
#include "examples/step/page.h"
#include "examples/terminal/display_width.h"

namespace gradus::step {

namespace {

using nlohmann::json;

/// Elements of a tensor that is written whole; of the weights of an attention, and their gradients.
constexpr int64_t largest_whole = 6144, largest_map = 1 << 22;
/// Of what is sent, where the page is written again and again.
constexpr int64_t largest_quick = 512;

std::string base64_of(const std::vector<float>& numbers) {
  return base64({reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)});
}

/// At most 24 rows of 32 numbers, each the one of largest magnitude (or a NaN) in its block.
struct Sketch {
  int64_t rows, columns;
  std::vector<float> numbers;

  Sketch(const std::vector<float>& values, const Shape& shape) {
    const int64_t width = shape.back(), height = shape.numel() / width;
    rows = std::min<int64_t>(height, 24);
    columns = std::min<int64_t>(width, 32);
    numbers.resize(static_cast<size_t>(rows * columns));
    for (int64_t i = 0; i < height; ++i)
      for (int64_t j = 0; j < width; ++j) {
        float& largest =
            numbers[static_cast<size_t>(i * rows / height * columns + j * columns / width)];
        const float x = values[static_cast<size_t>(i * width + j)];
        if (!(std::abs(x) <= std::abs(largest)) && !std::isnan(largest)) largest = x;
      }
  }
};

/// The tensors of a page, as text. Those of the same shape and numbers (views, gradients that pass
/// a node unchanged) are written once.
class Tensors {
 public:
  /// Its place in the list, or null.
  json add(const TraceTensor& x, int64_t largest = largest_whole) {
    if (!x.defined()) return nullptr;
    std::string text = json_of(x).dump();
    if (x.is_whole()) {
      std::vector<float> numbers = x.values().to_vector<float>();
      text.pop_back();
      if (x.shape().numel() > largest) {
        Sketch sketch(numbers, x.shape());
        text += fmt::format(R"(,"sketch":[{},{}])", sketch.rows, sketch.columns);
        numbers = std::move(sketch.numbers);
      }
      text += fmt::format(R"(,"numbers":"{}"}})", base64_of(numbers));
    }
    return places_.try_emplace(std::move(text), places_.size()).first->second;
  }

  /// The list. It has no text in it that could end the element in which it stands.
  std::string list() const {
    std::vector<const std::string*> in_order(places_.size());
    for (const auto& [text, place] : places_) in_order[place] = &text;
    std::string list = "[";
    for (const std::string* text : in_order) {
      if (list.size() > 1) list += ',';
      list += *text;
    }
    return list + "]";
  }

 private:
  std::unordered_map<std::string, size_t> places_;
};

json nodes(const Trace& trace, const std::vector<AttentionWeights>& maps, bool is_quick,
           Tensors& tensors) {
  std::vector<bool> is_map(static_cast<size_t>(trace.size()), false);
  for (const AttentionWeights& map : maps) is_map[static_cast<size_t>(map.weights)] = true;
  json list = json::array();
  for (int number = 0; number < trace.size(); ++number)
    list.push_back(json_of(trace, number, [&](const TraceTensor& x, Role role) {
      if (role == Role::sent) return tensors.add(x, is_quick ? largest_quick : largest_whole);
      return tensors.add(x, is_map[static_cast<size_t>(number)] ? largest_map : largest_whole);
    }));
  return list;
}

/// The ops that define a fused one, with their verdicts where that is quick, and how far the two
/// are apart; null where nothing simpler defines it.
json opened(const Trace& trace, int number, Tensors& tensors) {
  constexpr int64_t quick = 4096;
  const TraceNode& node = trace.node(number);
  try {
    Trace parts = trace.opened(number);
    if (node.value.shape().numel() <= quick) check(parts);
    json list = json::array(), apart = json::array();
    for (int n = 0; n < parts.size(); ++n)
      list.push_back(json_of(parts, n, [&](const TraceTensor& x, Role) { return tensors.add(x); }));
    const auto compare = [&](const std::string& what, const TraceTensor& a, const TraceTensor& b) {
      if (a.defined() && b.defined())
        apart.push_back({what, largest_difference(a.values(), b.values())});
    };
    compare("y", node.value, parts.node(parts.size() - 1).value);
    const std::vector<TraceTensor> sent = trace.sent(number);
    for (const TraceNode& part : parts.nodes())
      for (size_t i = 0; i < sent.size(); ++i)
        if (part.kind == TraceNode::Kind::parameter &&
            part.name == operand_name(static_cast<int>(i), static_cast<int>(sent.size())))
          compare("dL/d" + part.name, sent[i], part.gradient);
    return {{"nodes", list}, {"apart", apart}};
  } catch (const Error&) {
    return nullptr;
  }
}

/// Of each kind of op in each layer the first is opened, as long as the page stays small.
void open_ops(const Trace& trace, json& nodes, Tensors& tensors) {
  if (!trace.is_live()) return;
  size_t room = 600;  // nodes
  std::set<std::pair<std::string, std::string>> known;
  for (int n = 0; n < trace.size(); ++n) {
    const TraceNode& node = trace.node(n);
    if (node.kind != TraceNode::Kind::op || !known.emplace(node.op, node.path).second) continue;
    json parts = opened(trace, n, tensors);
    if (parts.is_null() || parts["nodes"].size() > room) continue;
    room -= parts["nodes"].size();
    nodes[static_cast<size_t>(n)]["opened"] = std::move(parts);
  }
}

json groups(const Trace& trace) {
  const Outline outline(trace);
  const std::vector<Layout> layouts = lay_out(trace, outline);
  json list = json::array();
  for (size_t g = 0; g < outline.groups.size(); ++g) {
    const Group& group = outline.groups[g];
    json parts = json::array();
    for (const Part& part : group.parts)
      parts.push_back(fmt::format("{}{}", part.is_group ? 'g' : 'n', part.number));
    list.push_back({{"name", group.name},
                    {"parent", group.parent},
                    {"over_time", group.over_time},
                    {"parts", parts},
                    {"places", json(layouts.at(g))}});
  }
  return list;
}

json attention(const std::vector<AttentionWeights>& maps) {
  json list = json::array();
  for (const AttentionWeights& a : maps)
    list.push_back({{"weights", a.weights},
                    {"context", a.context},
                    {"score", a.score < 0 ? json() : json(a.score)},
                    {"between", a.between}});
  return list;
}

/// What the doctor finds; a layer's norms stand in the gradients of the nodes that are named here.
json checkup(const Trace& trace) {
  constexpr size_t most = 40;  // layers
  const Checkup found = check_up(trace, most);
  json layers = json::array();
  for (const LayerNorms& row : found.layers)
    layers.push_back({{"layer", row.layer}, {"nodes", row.nodes}});
  const auto list = [](const std::vector<Place>& places) {
    json result = json::array();
    for (const Place& place : places)
      result.push_back({{"node", place.node}, {"backward", place.is_backward}});
    return result;
  };
  return {{"layers", layers},
          {"breaks", list(found.breaks)},
          {"dead_ends", list(found.dead_ends)},
          {"unreached", list(found.unreached)},
          {"wrong", list(found.wrong)},
          {"agree", found.agree},
          {"not_finite", found.not_finite},
          {"unchecked", found.unchecked}};
}

/// With control characters and marks of direction in names made visible, so that nobody obeys them.
json shown(json value) {
  if (value.is_string()) return terminal::printable(value.get_ref<const std::string&>());
  if (value.is_structured())
    for (json& item : value) item = shown(std::move(item));
  return value;
}

/// The other trace's nodes, which node of it stands for each of this one's, and what differs.
json comparison(const Trace& trace, const Trace& other, Tensors& tensors) {
  constexpr std::array whats{"only_in_a", "only_in_b", "formula", "shape",
                             "value",     "gradient",  "verdict"};
  json nodes = json::array(), differences = json::array();
  for (int n = 0; n < other.size(); ++n)
    nodes.push_back({{"description", other.description(n)},
                     {"value", tensors.add(other.node(n).value)},
                     {"gradient", tensors.add(other.node(n).gradient)}});
  for (const Difference& d : compare(trace, other))
    differences.push_back({{"what", whats[static_cast<size_t>(d.what)]},
                           {"a", d.a},
                           {"b", d.b},
                           {"largest", d.largest},
                           {"element", d.element}});
  return {{"nodes", nodes}, {"pairs", align(trace, other)}, {"differences", differences}};
}

}  // namespace

std::string page_data(const Trace& trace, const Trace* other, const std::string& title,
                      bool is_quick) {
  Tensors tensors;
  const std::vector<AttentionWeights> maps = attention_weights(trace);
  json data{{"title", title},
            {"queries", trace.queries},
            {"keys", trace.keys},
            {"sizes",
             {{"node", {node_box.width, node_box.height}},
              {"group", {group_box.width, group_box.height}},
              {"time", {time_box.width, time_box.height}}}},
            {"nodes", nodes(trace, maps, is_quick, tensors)},
            {"groups", groups(trace)},
            {"attention", attention(maps)},
            {"checkup", checkup(trace)},
            {"other", other ? comparison(trace, *other, tensors) : json()}};
  if (!is_quick) open_ops(trace, data["nodes"], tensors);
  data = shown(std::move(data));
  std::string text = json_text(data);
  text.pop_back();
  return text + ",\"tensors\":" + tensors.list() + "}";
}

}  // namespace gradus::step
