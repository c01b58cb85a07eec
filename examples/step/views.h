#pragma once

#include "examples/step/condition.h"
#include "examples/step/show.h"

/// What the parts of a trace look like on a terminal. Each gives whole lines.
namespace gradus::step {

/// "multiply", "loss = multiply", "constant", "parameter weight".
std::string kind_text(const TraceNode& node);
/// "in decoder.attention, time 3", as far as that is known.
std::string where_text(const TraceNode& node);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
/// "a, b, c"
std::string listed(const std::vector<std::string>& parts);
/// How formulas call an input: x if it is the only one, else a, b, c …
std::string operand(const TraceNode& node, size_t input);
/// "g · bᵀ"; empty where the op does not state it.
std::string derivative_of(const TraceNode& node, size_t input);
/// "weight" for a parameter, "tanh 12" for an op, "constant 3".
std::string reference(const Trace& trace, int node);
/// Trace::description(), in the language that is spoken.
std::string description(const Trace& trace, int node);
/// What attention's queries and keys are called, where the node's value is a table of its weights.
struct Labels {
  std::vector<std::string> rows, columns;
};
Labels labels_of(const Trace& trace, int node);

/// A node when the forward or the backward pass comes by: formula, what goes in, what comes out.
std::string place_view(const Trace& trace, const Place& place, const Screen& screen);
/// The same with its users, its parameters, what keeps its value, and where it was called.
std::string details_view(const Trace& trace, const Place& place, const Screen& screen);
/// The formula, the derivative, and which node each letter stands for.
std::string formula_view(const Trace& trace, int node);
/// A line per node; `marked` is where the reader is.
std::string list_view(const Trace& trace, int from, int to, int marked, const Screen& screen);
/// Layers in layers, with their parameters; of `layer`, if one is named, also the ops.
std::string tree_view(const Trace& trace, const std::string& layer, const Screen& screen);
/// The node's inputs and users, theirs, and so on up to `depth` edges away.
std::string graph_view(const Trace& trace, int node, int depth, const Screen& screen);
/// What the queries attended to: a row for each, over all time steps; see attention_weights().
/// `layer` may be empty.
/// Throws Error when there is no attention in the trace, or in the layer.
std::string attention_view(const Trace& trace, const std::string& layer);
/// What a replay has changed: the result and the parameters' gradients.
std::string change_view(const Trace& before, const Trace& after);
/// The figures of an op beside those of the ops that define it, see Trace::opened().
std::string closing_view(const Trace& trace, int node, const Trace& parts, const Screen& screen);
struct ComparisonOptions {
  double tolerance = 0;  ///< see compare()
  bool all = false;      ///< all differences, not the first ones
};
/// Where two traces differ, in order; `other` says where or when `b` is: "there", "before".
std::string comparison_view(const Trace& a, const Trace& b, const std::string& other,
                            const Screen& screen, const ComparisonOptions& options = {});
/// The whole model on one screen: the norms of gradients by layer and time step, where NaN and
/// infinities begin, where gradients end, parameters without one, rules that disagree (as far as
/// they have been checked). Defined in doctor.cpp.
std::string doctor_view(const Trace& trace, const Screen& screen);
/// Why the rule was not checked, or in part: "1 of 8 elements of the value lie on a kink".
std::string reason_text(const Verdict& verdict);
/// "the rule agrees with differences (6 elements)"
std::string verdict_text(const Trace& trace, int node, const Screen& screen);

}  // namespace gradus::step
