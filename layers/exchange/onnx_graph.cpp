#include "layers/exchange/onnx_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <set>
#include <utility>
#include <variant>

namespace gradus::onnx {

// --- the file's encoding ------------------------------------------------------------------------

void Message::varint(uint64_t value) {
  for (; value >= 128; value >>= 7) text_ += static_cast<char>(value % 128 + 128);
  text_ += static_cast<char>(value);
}

Message& Message::integer(int field, int64_t value) {
  varint(static_cast<uint64_t>(field) << 3);
  varint(static_cast<uint64_t>(value));
  return *this;
}

Message& Message::number(int field, float value) {
  varint(static_cast<uint64_t>(field) << 3 | 5);
  for (auto bits = std::bit_cast<uint32_t>(value), i = 0u; i < 4; ++i, bits >>= 8)
    text_ += static_cast<char>(bits & 255);
  return *this;
}

Message& Message::bytes(int field, std::string_view value) {
  varint(static_cast<uint64_t>(field) << 3 | 2);
  varint(value.size());
  text_ += value;
  return *this;
}

int64_t type_of(DType dtype) {
  return dtype == DType::float32 ? 1 : dtype == DType::float64 ? 11 : 7;
}

Message tensor_message(const std::string& name, const Tensor& x) {
  Message m;
  for (int64_t size : x.shape()) m.integer(1, size);
  m.integer(2, type_of(x.dtype())).bytes(8, name);
  if (x.numel() == 0) return m;  // the format allows no data then
  dispatch(x.dtype(), [&](auto element) {
    const auto values = x.template to_vector<decltype(element)>();
    m.bytes(9, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(element)});
  });
  return m;
}

namespace {

Message value_message(const std::string& name, const Tensor& x) {
  Message shape;
  for (int64_t size : x.shape()) shape.message(1, Message().integer(1, size));
  const Message type =
      Message().message(1, Message().integer(1, type_of(x.dtype())).message(2, shape));
  return Message().bytes(1, name).message(2, type);
}

Message attribute_message(const Attribute& attribute) {
  Message m;
  m.bytes(1, attribute.name);
  struct {
    Message& m;
    int64_t operator()(double x) const { return m.number(2, static_cast<float>(x)), 1; }
    int64_t operator()(int64_t x) const { return m.integer(3, x), 2; }
    int64_t operator()(const std::string& x) const { return m.bytes(4, x), 3; }
    int64_t operator()(const std::vector<int64_t>& list) const {
      for (int64_t x : list) m.integer(8, x);
      return 7;
    }
  } write{m};
  return m.integer(20, std::visit(write, attribute.value));
}

Message node_message(const Node& node, const std::vector<std::string>& names) {
  Message m;
  for (Value input : node.inputs) m.bytes(1, names[input]);
  for (Value output : node.outputs) m.bytes(2, names[output]);
  m.bytes(3, names[node.outputs[0]]).bytes(4, node.type);
  for (const Attribute& attribute : node.attributes) m.message(5, attribute_message(attribute));
  if (!node.domain.empty()) m.bytes(7, node.domain);
  return m;
}

}  // namespace

// --- the graph ----------------------------------------------------------------------------------

Value Graph::add(Role role, const std::string& name, const Tensor& tensor) {
  values.push_back({role, name, tensor});
  return values.size() - 1;
}

Value Graph::add_node(const std::string& name, const OnnxOperator& type, std::vector<Value> inputs,
                      Attributes attributes, int outputs) {
  Node node{type.type, type.domain, std::move(inputs), {}, std::move(attributes)};
  for (int i = 0; i < outputs; ++i) node.outputs.push_back(add(Role::result, name));
  nodes.push_back(node);
  return node.outputs[0];
}

Value Graph::constant(const Tensor& x) {
  Tensor copy = Tensor::uninitialised(x.shape(), x.dtype());
  copy.assign(x);
  return add(Role::constant, fmt::format("constant_{}", constants_++), copy);
}

Value Graph::constant(const std::vector<int64_t>& list) {
  if (const auto found = lists_.find(list); found != lists_.end()) return found->second;
  return lists_[list] = constant(tensor(list, {static_cast<int64_t>(list.size())}));
}

std::vector<bool> Graph::needed() const {
  std::vector<bool> result(values.size());
  for (size_t i = 0; i < values.size(); ++i) result[i] = values[i].role == Role::output;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node)
    if (std::ranges::any_of(node->outputs, [&](Value output) { return result[output]; }))
      for (Value value : node->inputs) result[value] = true;
  return result;
}

/// Inputs and outputs keep their names before parameters do, and those before all others.
std::vector<std::string> Graph::unique_names(const std::vector<bool>& needed) const {
  std::vector<std::string> names(values.size());
  std::set<std::string> taken;
  for (Role role : {Role::input, Role::output, Role::parameter, Role::constant, Role::result})
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i].role != role || (role != Role::input && role != Role::result && !needed[i]))
        continue;
      names[i] = values[i].name;
      for (int n = 2; !taken.insert(names[i]).second; ++n)
        names[i] = fmt::format("{}_{}", values[i].name, n);
    }
  return names;
}

std::string Graph::text() const {
  const std::vector<bool> is_needed = needed();
  const std::vector<std::string> names = unique_names(is_needed);
  Message written, title, initializers, inputs, outputs;
  std::set<std::string> domains{""};
  for (const Node& node : nodes) {
    if (std::ranges::none_of(node.outputs, [&](Value output) { return is_needed[output]; }))
      continue;
    written.message(1, node_message(node, names));
    domains.insert(node.domain);
  }
  title.bytes(2, "gradus");
  for (size_t i = 0; i < values.size(); ++i) {
    const auto& [role, name, x] = values[i];
    if (role == Role::input) inputs.message(11, value_message(names[i], x));
    if (role == Role::output) outputs.message(12, value_message(names[i], x));
    if ((role == Role::parameter || role == Role::constant) && is_needed[i])
      initializers.message(5, tensor_message(names[i], x));
  }
  Message model;
  model
      .integer(1, 8)  // the version of the format that came with opset 16
      .bytes(2, "gradus")
      .bytes(7,
             written.text() + title.text() + initializers.text() + inputs.text() + outputs.text());
  for (const std::string& domain : domains)
    model.message(8, Message().bytes(1, domain).integer(2, domain.empty() ? OnnxGraph::opset : 1));
  return model.text();
}

}  // namespace gradus::onnx
