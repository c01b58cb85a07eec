#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/autograd/autograd.h"
#include "layers/exchange/onnx.h"

/// Inside of the ONNX export: a graph whose values are numbers until the file is written, so that
/// no name can clash.
namespace gradus::onnx {

/// A message in the wire format of Protocol Buffers: fields of a number and a value, where a value
/// is a variable-length integer, four bytes, or bytes with their length. Writing it takes these few
/// lines, where the library would be one more dependency of everybody who uses a layer.
class Message {
 public:
  Message& integer(int field, int64_t value);
  Message& number(int field, float value);
  Message& bytes(int field, std::string_view value);
  Message& message(int field, const Message& value) { return bytes(field, value.text_); }
  const std::string& text() const { return text_; }

 private:
  void varint(uint64_t value);
  std::string text_;
};

/// The numbers of onnx.proto3.
int64_t type_of(DType dtype);
inline constexpr int64_t boolean = 9;

using Value = size_t;  ///< an index into Graph::values

struct Node {
  std::string type, domain;
  std::vector<Value> inputs, outputs;
  Attributes attributes;

  bool operator==(const Node&) const = default;
};

struct Graph {
  enum class Role { input, output, parameter, constant, result };
  struct Entry {
    Role role;
    std::string name;  ///< in the file another one where two are the same
    Tensor tensor;     ///< what the file says of it; undefined for a result
  };

  Value add(Role role, const std::string& name, const Tensor& tensor = {});
  /// The first of its outputs; the others follow.
  Value add_node(const std::string& name, const OnnxOperator& type, std::vector<Value> inputs,
                 Attributes attributes, int outputs = 1);
  Value constant(const Tensor& x);
  /// A list of sizes or axes.
  Value constant(const std::vector<int64_t>& list);

  /// Which values the outputs depend on.
  std::vector<bool> needed() const;
  /// The file's contents.
  std::string text() const;

  std::vector<Entry> values;
  std::vector<Node> nodes;

 private:
  std::vector<std::string> unique_names(const std::vector<bool>& needed) const;

  std::map<std::vector<int64_t>, Value> lists_;
  int constants_ = 0;
};

/// The bytes of a constant: equal for equal ones.
Message tensor_message(const std::string& name, const Tensor& x);

bool has_operator(const OnnxOperators& own, const std::string& op);

/// Adds the nodes that compute an op, and gives their result. Operators that `own` gives for the
/// op's name come first. Throws Error for an op without a counterpart.
Value add_op(Graph& graph, const OnnxOperators& own, const std::string& name, const RecordedOp& op,
             const std::vector<Value>& inputs);

}  // namespace gradus::onnx
