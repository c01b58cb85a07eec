#pragma once

#include <vector>

#include "core/trace/trace.h"

namespace gradus::step {

/// The weights of an attention, and what stands around them. Numbers of nodes.
struct AttentionWeights {
  int weights;               ///< the softmax
  int context;               ///< the product of weights and values
  int score = -1;            ///< the product of queries and keys; −1 for other scores
  std::vector<int> between;  ///< from the score to the weights
};

/// Traces do not say which of their nodes are attention weights. This is what counts as such: a
/// softmax whose value is the first factor of a matmul, with nothing between but views of it and
/// ops on its shape that are linear in it (a dropout's mask, a scale): those whose derivative reads
/// neither it nor the output.
std::vector<AttentionWeights> attention_weights(const Trace& trace);
bool is_attention_weights(const Trace& trace, int node);

}  // namespace gradus::step
