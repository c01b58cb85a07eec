#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>
#include <unordered_map>

#include "core/files/json_check.h"
#include "core/files/replaceable.h"
#include "core/files/safetensors.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"
#include "core/trace/trace.h"
#include "core/trace/trace_json.h"

namespace gradus {

namespace {

using nlohmann::json;

constexpr const char *format = "gradus trace", *version = "3";
constexpr std::array kinds{"op", "parameter", "constant"};
constexpr std::array results{"agrees", "disagrees", "unknown", "not finite"};

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Of one input's derivative, or of derivatives of derivatives, of an op with `count` inputs.
json json_of(Reads reads, size_t count) {
  json inputs = json::array();
  for (size_t i = 0; i < std::min(count, size_t{31}); ++i)
    if (reads.input(i)) inputs.push_back(i);
  return {{"inputs", std::move(inputs)}, {"output", reads.output()}};
}

constexpr std::array not_finite{"inf", "-inf", "nan"};

json json_of(double x) {
  if (std::isfinite(x)) return x;
  return {{"number", not_finite[std::isnan(x) ? 2 : x > 0 ? 0 : 1]}};
}

json json_of(const Attribute& attribute) {
  const auto* number = std::get_if<double>(&attribute.value);
  return json::array({attribute.name,
                      number ? json_of(*number)
                             : std::visit([](const auto& x) { return json(x); }, attribute.value)});
}

json json_of(const Verdict& v) {
  return {{"result", results[static_cast<size_t>(v.result)]},
          {"input", v.input},
          {"element", v.element},
          {"rule", json_of(v.rule)},
          {"difference", json_of(v.difference)},
          {"checked", v.checked},
          {"count", v.count},
          {"reason", v.reason}};
}

}  // namespace

json json_of(const TraceTensor& x) {
  const Summary& s = x.summary();
  json result{{"shape", std::vector<int64_t>(x.shape().begin(), x.shape().end())},
              {"dtype", name_of(x.dtype())},
              {"count", s.count},
              {"nans", s.nans},
              {"infinities", s.infinities},
              {"zeros", s.zeros},
              {"min", json_of(s.min)},
              {"max", json_of(s.max)},
              {"mean", json_of(s.mean)},
              {"norm", json_of(s.norm)},
              {"histogram", s.histogram}};
  if (s.negative_infinities > 0) result["negative_infinities"] = s.negative_infinities;
  return result;
}

json json_of(const Trace& trace, int number,
             const std::function<json(const TraceTensor&, Role)>& tensor) {
  const TraceNode& node = trace.node(number);
  json result{{"kind", kinds[static_cast<size_t>(node.kind)]}};
  auto text = [&](const char* key, const std::string& value) {
    if (!value.empty()) result[key] = value;
  };
  text("op", node.op);
  text("formula", node.formula);
  const size_t count = node.inputs.size();
  for (size_t i = 0; i < count; ++i)
    result["operands"].push_back(operand_name(static_cast<int>(i), static_cast<int>(count)));
  if (!node.derivatives.empty()) result["derivatives"] = node.derivatives;
  for (Reads reads : node.reads) result["reads"].push_back(json_of(reads, count));
  if (node.also.bits != 0) result["also"] = json_of(node.also, count);
  for (const Attribute& attribute : node.attributes)
    result["attributes"].push_back(json_of(attribute));
  if (node.is_view) result["is_view"] = true;
  text("name", node.name);
  text("path", node.path);
  if (node.time >= 0) result["time"] = node.time;
  for (const SourceLine& line : node.source)
    result["source"].push_back({line.file, line.line, line.function});
  if (!node.inputs.empty()) result["inputs"] = node.inputs;
  if (!trace.users(number).empty()) result["users"] = trace.users(number);
  if (!node.parameters.empty()) result["parameters"] = node.parameters;
  for (const TraceNode::Reader& reader : node.kept)
    result["kept"].push_back({{"by", reader.node}, {"for", reader.inputs}});
  if (node.verdict) result["verdict"] = json_of(*node.verdict);
  auto told = [&](const TraceTensor& x, Role role) {
    return x.defined() ? tensor(x, role) : json();
  };
  result["value"] = told(node.value, Role::value);
  if (node.gradient.defined()) result["gradient"] = told(node.gradient, Role::gradient);
  const std::vector<TraceTensor> sent = trace.sent(number);
  if (std::any_of(sent.begin(), sent.end(), [](const auto& x) { return x.defined(); }))
    for (const TraceTensor& x : sent) result["sent"].push_back(told(x, Role::sent));
  return result;
}

// --- writing ------------------------------------------------------------------------------------

namespace {

/// The tensors of a file.
class Tensors {
 public:
  /// Its place in the list: where the same numbers in the same shape already stand, if they do.
  json add(const TraceTensor& x, Role role) {
    TraceTensor entry = x;
    size_t key = 0;
    if (x.is_whole()) {
      const NoGrad pause;
      entry = TraceTensor(contiguous(x.values()));
      key = std::hash<std::string_view>()(bytes_of(entry));
      for (auto [at, end] = places_.equal_range(key); at != end; ++at)
        if (is_same(all_[at->second].tensor, entry)) return at->second;
      places_.emplace(key, all_.size());
    }
    all_.push_back({std::move(entry), role});
    return all_.size() - 1;
  }

  /// Puts those into the file that the options keep whole, and describes all of them.
  void write(TensorFile& file, const TraceOptions& options) const {
    json list = json::array();
    for (const Entry& entry : all_) list.push_back(json_of(entry.tensor));
    file.metadata["tensors"] = text_of(list);
    std::vector<size_t> order;
    for (size_t i = 0; i < all_.size(); ++i)
      if (all_[i].tensor.is_whole()) order.push_back(i);
    const auto rank = [&](size_t i) {
      return std::tuple(all_[i].tensor.values().numel(), all_[i].role, i);
    };
    std::ranges::sort(order, {}, rank);
    int64_t room = options.bytes;
    for (size_t i : order) {
      const TraceTensor& x = all_[i].tensor;
      room -= static_cast<int64_t>(bytes_of(x).size());
      if (room < 0 || x.values().numel() > options.largest) break;
      file.tensors[std::to_string(i)] = x.values();
    }
  }

 private:
  struct Entry {
    TraceTensor tensor;
    Role role;
  };

  static std::string_view bytes_of(const TraceTensor& x) {
    return dispatch(x.dtype(), [&](auto element) -> std::string_view {
      const auto bytes = std::as_bytes(x.values().span<decltype(element)>());
      return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    });
  }
  static bool is_same(const TraceTensor& x, const TraceTensor& y) {
    return x.shape() == y.shape() && x.dtype() == y.dtype() && bytes_of(x) == bytes_of(y);
  }

  std::vector<Entry> all_;
  std::unordered_multimap<size_t, size_t> places_;  // of those that are whole, by their bytes
};

}  // namespace

void Trace::save(const std::string& path, const TraceOptions& options) const {
  Tensors tensors;
  json nodes = json::array(), lines = json::array();
  std::map<json, size_t> places;  // of lines
  for (int number = 0; number < size(); ++number) {
    nodes.push_back(json_of(*this, number,
                            [&](const TraceTensor& x, Role role) { return tensors.add(x, role); }));
    if (nodes.back().contains("source"))
      for (json& line : nodes.back()["source"]) {
        const auto [found, is_new] = places.try_emplace(line, lines.size());
        if (is_new) lines.push_back(line);
        line = found->second;
      }
  }
  TensorFile file;
  file.metadata = {{"format", format},
                   {"version", version},
                   {"nodes", text_of(nodes)},
                   {"lines", text_of(lines)}};
  tensors.write(file, options);
  if (!queries.empty()) file.metadata["queries"] = text_of(queries);
  if (!keys.empty()) file.metadata["keys"] = text_of(keys);
  save_tensors(path, file);
}

// --- reading ------------------------------------------------------------------------------------

namespace {

/// A part of the JSON, which knows where it stands.
class Reader {
 public:
  Reader(const json& value, std::string place) : value_(value), place_(std::move(place)) {}

  [[noreturn]] void fail(const char* expected) const {
    // Printing a structure would recurse, as deep as the file likes.
    throw Error(fmt::format("{}: expected {}, got {:.60}", place_, expected,
                            value_.is_structured() ? value_.type_name() : text_of(value_)));
  }

  bool is_null() const { return value_.is_null(); }
  /// A member, or null where there is none.
  Reader operator[](const char* key) const {
    static const json null;
    if (!value_.is_object()) fail("an object");
    const auto found = value_.find(key);
    return {found == value_.end() ? null : *found, fmt::format("{}'s {}", place_, key)};
  }
  std::string text() const {
    if (is_null()) return "";
    if (!value_.is_string()) fail("a text");
    return value_.get<std::string>();
  }
  int64_t integer(int64_t least, int64_t most, int64_t otherwise) const {
    if (is_null()) return otherwise;
    if (!value_.is_number_integer() ||
        (value_.is_number_unsigned() && value_.get<uint64_t>() > uint64_t{INT64_MAX}))
      fail("an integer");
    const int64_t result = value_.get<int64_t>();
    if (result < least || result > most)
      throw Error(
          fmt::format("{}: expected an integer in [{}, {}], got {}", place_, least, most, result));
    return result;
  }
  bool boolean() const {
    if (is_null()) return false;
    if (!value_.is_boolean()) fail("true or false");
    return value_.get<bool>();
  }
  int64_t count() const { return integer(0, INT64_MAX, 0); }
  double number() const {
    if (value_.is_object())
      return std::array{HUGE_VAL, -HUGE_VAL,
                        std::nan("")}[static_cast<size_t>((*this)["number"].choice(not_finite))];
    if (is_null()) return std::nan("");
    if (!value_.is_number()) fail("a number");
    return value_.get<double>();
  }
  Attribute::Value attribute() const {
    if (value_.is_number_integer()) return integer(INT64_MIN, INT64_MAX, 0);
    if (value_.is_number() || value_.is_object()) return number();
    if (value_.is_string()) return text();
    std::vector<int64_t> sizes;
    if (!value_.is_array()) fail("a number, a text or a list of integers");
    for (const Reader& size : list()) sizes.push_back(size.integer(INT64_MIN, INT64_MAX, 0));
    return sizes;
  }
  std::vector<Reader> list() const {
    if (is_null()) return {};
    if (!value_.is_array()) fail("a list");
    std::vector<Reader> result;
    for (size_t i = 0; i < value_.size(); ++i)
      result.emplace_back(value_[i], fmt::format("{}[{}]", place_, i));
    return result;
  }
  template <size_t n>
  int choice(const std::array<const char*, n>& names) const {
    for (size_t i = 0; i < n; ++i)
      if (value_.is_string() && value_.get_ref<const std::string&>() == names[i])
        return static_cast<int>(i);
    fail("one of the known words");
  }

 private:
  const json& value_;
  std::string place_;
};

DType dtype_from(const Reader& reader) {
  constexpr std::array names{"float32", "float64", "int64"};
  return static_cast<DType>(reader.choice(names));
}

TraceTensor tensor_from(const Reader& reader, const TensorFile& file, const std::string& name) {
  const auto whole = file.tensors.find(name);
  std::vector<int64_t> sizes;
  int64_t count = 1;
  for (const Reader& size : reader["shape"].list()) {
    sizes.push_back(size.count());
    if (__builtin_mul_overflow(count, std::max<int64_t>(sizes.back(), 1), &count))
      reader["shape"].fail("a possible shape");
  }
  if (sizes.size() > Shape::max_rank) reader["shape"].fail("a shape of at most 8 axes");
  const Shape shape(sizes);
  Summary s{reader["count"].count(),      reader["nans"].count(),
            reader["infinities"].count(), reader["negative_infinities"].count(),
            reader["zeros"].count(),      reader["min"].number(),
            reader["max"].number(),       reader["mean"].number(),
            reader["norm"].number(),      {}};
  for (const Reader& bin : reader["histogram"].list()) s.histogram.push_back(bin.count());
  if (s.histogram.size() != Summary::bins) reader["histogram"].fail("a list of 16 counts");
  if (s.count != shape.numel()) reader["count"].fail("the product of the shape");
  const DType dtype = dtype_from(reader["dtype"]);
  if (whole == file.tensors.end()) return {shape, dtype, std::move(s)};
  if (whole->second.shape() != shape || whole->second.dtype() != dtype)
    throw Error(fmt::format("tensor {} is {} {}, \"tensors\" says {} {}", name,
                            name_of(whole->second.dtype()), whole->second.shape().text(),
                            name_of(dtype), shape.text()));
  return {shape, dtype, std::move(s), whole->second};
}

std::optional<Verdict> verdict_from(const Reader& reader) {
  if (reader.is_null()) return std::nullopt;
  Verdict v;
  v.result = static_cast<Verdict::Result>(reader["result"].choice(results));
  v.input = static_cast<int>(reader["input"].integer(-1, INT32_MAX, -1));
  v.element = reader["element"].integer(-1, INT64_MAX, -1);
  v.rule = reader["rule"].number();
  v.difference = reader["difference"].number();
  v.checked = reader["checked"].count();
  v.count = reader["count"].count();
  v.reason = reader["reason"].text();
  return v;
}

Reads reads_from(const Reader& reader, size_t count) {
  Reads reads;
  const int64_t last = static_cast<int64_t>(std::min(count, size_t{31})) - 1;
  for (const Reader& input : reader["inputs"].list())
    reads.bits |= uint32_t{1} << input.integer(0, last, 0);
  if (reader["output"].boolean()) reads.bits |= Reads::output_bit;
  return reads;
}

Attribute attribute_from(const Reader& reader) {
  const std::vector<Reader> parts = reader.list();
  if (parts.size() != 2) reader.fail("[name, value]");
  return {parts[0].text(), parts[1].attribute()};
}

/// What nodes refer to by its place.
struct Lists {
  std::vector<TraceTensor> tensors;
  std::vector<SourceLine> lines;

  TraceTensor tensor(const Reader& place) const {
    return place.is_null() ? TraceTensor() : tensors[place_in(place, tensors.size())];
  }
  const SourceLine& line(const Reader& place) const { return lines[place_in(place, lines.size())]; }

 private:
  static size_t place_in(const Reader& place, size_t size) {
    if (place.is_null()) place.fail("a place in a list");
    return static_cast<size_t>(place.integer(0, static_cast<int64_t>(size) - 1, 0));
  }
};

TraceNode node_from(const Reader& reader, int number, const Lists& lists) {
  TraceNode node;
  node.kind = static_cast<TraceNode::Kind>(reader["kind"].choice(kinds));
  node.op = reader["op"].text();
  node.formula = reader["formula"].text();
  for (const Reader& input : reader["inputs"].list())
    node.inputs.push_back(static_cast<int>(input.integer(0, number - 1, 0)));
  const auto per_input = [&](const char* key) {
    std::vector<Reader> list = reader[key].list();
    if (!list.empty() && list.size() != node.inputs.size())
      reader[key].fail("a list with an item per input");
    return list;
  };
  for (const Reader& derivative : per_input("derivatives"))
    node.derivatives.push_back(derivative.text());
  for (const Reader& reads : per_input("reads"))
    node.reads.push_back(reads_from(reads, node.inputs.size()));
  if (!reader["also"].is_null()) node.also = reads_from(reader["also"], node.inputs.size());
  for (const Reader& attribute : reader["attributes"].list())
    node.attributes.push_back(attribute_from(attribute));
  node.is_view = reader["is_view"].boolean();
  node.name = reader["name"].text();
  node.path = reader["path"].text();
  node.time = reader["time"].integer(-1, INT64_MAX, -1);
  for (const Reader& line : reader["source"].list()) node.source.push_back(lists.line(line));
  if (reader["value"].is_null()) reader["value"].fail("a tensor");
  node.value = lists.tensor(reader["value"]);
  node.gradient = lists.tensor(reader["gradient"]);
  node.verdict = verdict_from(reader["verdict"]);
  return node;
}

}  // namespace

bool Trace::is_trace(const std::string& path) { return has_format(path, format); }

Trace Trace::read(const TensorFile& file) {
  const auto metadata = [&](const char* key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  if (metadata("format") != format)
    throw Error(fmt::format("not a trace: expected \"format\": \"{}\" in its metadata", format));
  if (metadata("version") != version)
    throw Error(fmt::format("format version {}, expected {}: record it again with this version",
                            metadata("version"), version));
  const auto parsed = [&](const char* key) {
    constexpr int deepest = 6;  // nodes, node, what it sent, a tensor, its shape, and one to spare
    const std::string text = metadata(key);
    check_json(fmt::format("damaged: \"{}\"", key), text, deepest);
    return json::parse(text);
  };
  Trace trace;
  const auto names = [&](const char* key, std::vector<std::string>& list) {
    if (!file.metadata.contains(key)) return;
    const json value = parsed(key);
    for (const Reader& name : Reader(value, key).list()) list.push_back(name.text());
  };
  names("queries", trace.queries);
  names("keys", trace.keys);
  Lists lists;
  const json tensors = parsed("tensors"), lines = parsed("lines"), nodes = parsed("nodes");
  for (const Reader& reader : Reader(tensors, "tensors").list())
    lists.tensors.push_back(tensor_from(reader, file, std::to_string(lists.tensors.size())));
  for (const Reader& line : Reader(lines, "lines").list()) {
    const std::vector<Reader> parts = line.list();
    if (parts.size() != 3) line.fail("[file, line, function]");
    lists.lines.push_back(
        {parts[0].text(), static_cast<int>(parts[1].integer(0, INT32_MAX, 0)), parts[2].text()});
  }
  for (const Reader& reader : Reader(nodes, "nodes").list()) {
    const int number = trace.size();
    trace.nodes_.push_back(node_from(reader, number, lists));
    const size_t inputs = trace.nodes_.back().inputs.size();
    const std::vector<Reader> sent = reader["sent"].list();
    if (!sent.empty() && sent.size() != inputs)
      reader["sent"].fail("a list with an item per input");
    trace.sent_.emplace_back(inputs);
    for (size_t i = 0; i < sent.size(); ++i) trace.sent_.back()[i] = lists.tensor(sent[i]);
  }
  trace.connect();
  return trace;
}

Trace Trace::load(const std::string& path) {
  const TensorFile file = load_tensors(path);
  return errors_at(path, [&] { return read(file); });
}

Trace Trace::parse(std::span<const std::byte> bytes, const std::string& origin) {
  const TensorFile file = parse_tensors(bytes, origin);
  return errors_at(origin, [&] { return read(file); });
}

}  // namespace gradus
