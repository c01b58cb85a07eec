#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/autograd/autograd.h"
#include "core/ops/pointwise.h"
#include "core/tensor/scope.h"
#include "core/trace/source_line.h"

/// A recorded forward and backward pass as plain data, that can be saved to one file:
///
///     Trace trace;
///     {
///       const auto recording = trace.record();
///       model.loss(batch).backward();
///     }
///     trace.save("step.trace");
namespace gradus {

struct TensorFile;

/// What a tensor's numbers are like. Its own min, max, mean, norm (√Σx²) and histogram are of the
/// finite ones; those of all() are of all.
struct Summary {
  static constexpr size_t bins = 16;
  struct Figures {
    double min, max, mean, norm;
  };

  int64_t count = 0, nans = 0, infinities = 0;
  int64_t negative_infinities = 0;  ///< of the infinities
  int64_t zeros = 0;
  double min = 0, max = 0, mean = 0, norm = 0;
  std::vector<int64_t> histogram;  ///< counts in `bins` equal bins from min to max

  bool is_finite() const { return nans + infinities == 0; }
  /// NaN where one number is NaN; else of infinities what arithmetic makes of them.
  Figures all() const;
};
Summary summarise(const Tensor& x);

/// A tensor that was kept whole, or of which only the summary was.
class TraceTensor {
 public:
  TraceTensor() = default;  ///< there was none; defined() is false
  explicit TraceTensor(Tensor values);
  TraceTensor(const Shape& shape, DType dtype, Summary summary, Tensor values = {});

  bool defined() const { return defined_; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  bool is_whole() const { return values_.defined(); }
  /// Throws Error when only the summary was kept.
  const Tensor& values() const;
  const Summary& summary() const;  ///< made when first asked for

 private:
  bool defined_ = false;
  Shape shape_;
  DType dtype_ = DType::float32;
  Tensor values_;
  mutable std::optional<Summary> summary_;
};

/// Whether an op's gradient rule agrees with differences of its forward computation, in float64.
struct Verdict {
  enum class Result {
    agrees,
    disagrees,
    unknown,
    not_finite  ///< neither agrees nor disagrees: the op's values there are not finite
  };
  Result result = Result::unknown;
  int input = -1;                   ///< where they differ most: which input,
  int64_t element = -1;             ///< which element of it in row-major order,
  double rule = 0, difference = 0;  ///< what the rule says there, and what the difference says
  int64_t checked = 0, count = 0;   ///< so many elements were looked at, of so many
  std::string reason;               ///< why it is unknown, or what took no part
};

/// One op of the computation, or a tensor that it began with.
struct TraceNode {
  enum class Kind {
    op,
    parameter,  ///< a leaf that requires a gradient, or what was computed before the recording
    constant    ///< does not require a gradient
  };
  /// A node whose derivatives read this node's value, which the backward pass keeps for them.
  struct Reader {
    int node;
    std::vector<int> inputs;  ///< for dL/d(these inputs) of it; empty for derivatives of
                              ///< derivatives, and for ops of more than 31 inputs
    bool operator==(const Reader&) const = default;
  };
  Kind kind = Kind::op;
  std::string op;       ///< "matmul"; empty for parameters and constants
  std::string formula;  ///< "a · b": over x if there is one input, else a, b, c …
  std::vector<std::string> derivatives;  ///< per input: "g · bᵀ", with the value y and g = dL/dy;
                                         ///< empty where the op does not state them
  std::vector<Reads> reads;  ///< per input, what its derivative reads; empty without a rule
  Reads also = {};           ///< what derivatives of derivatives read besides
  Attributes attributes;     ///< what the op was asked for: axis, shape, epsilon
  bool is_view = false;      ///< it shows its input's memory in another shape
  std::string name;   ///< of a parameter, "decoder.0.weight_hh"; of an op, that of its output
  std::string path;   ///< of the layer: "decoder.attention.score"; empty outside of any
  int64_t time = -1;  ///< the time step within the layer; −1 where there is none
  std::vector<SourceLine> source;  ///< the calls that led here, innermost first; not those in core/
  std::vector<int> inputs;         ///< numbers of earlier nodes
  std::vector<int> parameters;     ///< numbers of those that it reads, themselves or as views
  std::vector<Reader> kept;  ///< for whom the backward pass keeps the value; those of a view also
                             ///< stand at the node whose memory it shows
  TraceTensor value;
  TraceTensor gradient;  ///< dL/d(value); undefined where none arrived
  std::optional<Verdict> verdict;
};

/// What a file keeps of the tensors. Those of the same shape and numbers are written once.
struct TraceOptions {
  int64_t largest = 65536;  ///< those of more elements are kept as summaries
  /// So many bytes of the others are kept whole, the smallest first; of one size values before
  /// gradients, and these before what was sent; the rest as summaries.
  int64_t bytes = 64 << 20;
};

/// Nodes are in the order of the forward pass; the backward pass visits those that have a gradient
/// in the opposite order. A node's number is its place.
class Trace {
 public:
  class Recording;

  Trace();
  Trace(Trace&&) noexcept;
  Trace& operator=(Trace&&) noexcept;
  ~Trace();

  /// While the result lives, what this thread computes from tensors that require a gradient is
  /// recorded, and what flows back through it. The trace begins anew, and must stay where it is
  /// meanwhile. Layers without a name go by their type.
  [[nodiscard]] Recording record(LayerNames names = {});

  const std::vector<TraceNode>& nodes() const { return nodes_; }
  int size() const { return static_cast<int>(nodes_.size()); }
  /// What the queries and the keys of its attention are called, tokens for instance: readers write
  /// them beside the weights. Empty where nobody said.
  std::vector<std::string> queries, keys;
  /// Throws Error when there is no such node.
  const TraceNode& node(int number) const;
  /// What the node sent back to each of its inputs: dL/d(input) as far as it comes through this
  /// node. Undefined where no gradient was wanted. Computed when asked for in a recorded trace.
  std::vector<TraceTensor> sent(int number) const;
  /// The numbers of the nodes that have this one as an input.
  const std::vector<int>& users(int number) const;
  /// "matmul, node 12, in decoder.attention, time 3": how errors speak of it.
  std::string description(int number) const;

  /// Whether it was recorded in this program and not loaded: only then its ops can run again.
  bool is_live() const { return live_ != nullptr; }
  /// An op's gradient rule and its computation; empty where it has none.
  /// Throws Error for a loaded trace.
  const Rule& rule(int number) const;
  const Forward& forward(int number) const;
  void set_verdict(int number, Verdict verdict);

  /// What if node `number` had had this value: a new trace of the same ops, in which those after
  /// it have run again, and of their backward passes. Bit for bit what the program would have
  /// computed, had it overwritten the value there. Defined in core/trace/replay.cpp.
  /// Throws Error for a loaded trace, another shape or dtype, and where an op cannot run again.
  Trace replay(int number, const Tensor& value) const { return replay({{number, value}}); }
  /// The same of several values at once, and of another elementwise function of as many inputs in
  /// the place of each op for which `instead` gives one. The nodes keep their numbers.
  using Instead = std::function<const Pointwise*(const TraceNode&)>;
  Trace replay(const std::map<int, Tensor>& values, const Instead& instead = {}) const;

  /// The op that node `number` is, taken apart: a new trace of the ops that define it, from the
  /// same inputs and the same gradient. Its parameters and constants are the inputs, under the
  /// letters of the formula; its last node is the output. What a fused op (softmax, lstm) computes
  /// in one pass, and a formula of elementwise functions in one loop, stands there step by step.
  /// Defined in core/trace/opened.cpp.
  /// Throws Error for a loaded trace, and where nothing simpler defines the op.
  Trace opened(int number) const;

  /// Writes the trace to one file, all or nothing. It is a safetensors file
  /// (core/files/safetensors.h):
  ///
  ///   metadata "format"   "gradus trace"
  ///   metadata "version"  "3"
  ///   metadata "nodes"    JSON: a list with an object per node, under the names of TraceNode:
  ///     {"kind": "op" | "parameter" | "constant", "op", "formula",
  ///      "operands": ["a", "b", … one per input], "derivatives": [text, … one per input],
  ///      "reads": [{"inputs": [0, 1], "output": true}, … one per input], "also": the same,
  ///      "attributes": [[name, integer | number | text | [integer, …]], …], "is_view": true,
  ///      "name", "path", "time": 0 or more, "source": [place in "lines", …],
  ///      "inputs": [number, …], "users": [number, …], "parameters": [number, …],
  ///      "kept": [{"by": number, "for": [input, …]}, …], "value": T, "gradient": T,
  ///      "sent": [T, … one per input],
  ///      "verdict": {"result": "agrees" | "disagrees" | "unknown" | "not finite", "input",
  ///                  "element", "rule", "difference", "checked", "count", "reason"}}
  ///     where T is null or a place in "tensors". What is empty, false, null or unknown is left
  ///      out. A number that JSON cannot hold is {"number": "inf" | "-inf" | "nan"}. operands,
  ///      users, parameters and kept follow from the rest: they are there for readers in other
  ///      languages, and load() derives them again.
  ///   metadata "queries", "keys"   JSON: lists of names, left out when empty
  ///   metadata "tensors"  JSON: a list of
  ///     {"shape": [2, 3], "dtype": "float32", "count", "nans", "infinities",
  ///      "negative_infinities", "zeros", "min", "max", "mean", "norm", "histogram": [16 counts]}
  ///   metadata "lines"    JSON: a list of [file, line, function]
  ///   tensors "0", "1", …: those of "tensors" that were kept whole
  void save(const std::string& path, const TraceOptions& options = {}) const;
  /// Whether the file's metadata say that save() wrote it.
  static bool is_trace(const std::string& path);
  /// Throws Error, with the path, for a file that is not a trace, is of another version, or is
  /// damaged.
  static Trace load(const std::string& path);
  /// The same from memory; errors begin with `origin`.
  static Trace parse(std::span<const std::byte> bytes, const std::string& origin);

 private:
  class Recorder;
  /// What only the recording program knows, by the nodes' numbers.
  struct Live {
    struct Runnable {
      Rule rule;
      Forward forward;
    };
    std::vector<Runnable> ops;
    std::vector<std::pair<int, Tensor>> seeds;  ///< where backward passes began
  };

  const Live& live(const char* asker) const;

  static Trace read(const TensorFile& file);
  void connect();

  std::vector<TraceNode> nodes_;
  std::vector<std::vector<int>> users_;
  std::vector<std::vector<TraceTensor>> sent_;  ///< of a loaded trace
  std::unique_ptr<Live> live_;
};

/// Records until it ends; see Trace::record(). Where `is_fine`, formulas of elementwise functions
/// function by function.
class Trace::Recording {
 public:
  Recording(Trace& trace, LayerNames names, bool is_fine = false);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

 private:
  std::unique_ptr<Recorder> recorder_;
  Observer* before_;
};

}  // namespace gradus
