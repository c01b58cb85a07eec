#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/trace/trace.h"

/// Which places of a pass to stop at, as the user writes it.
namespace gradus::step {

/// A node in the forward pass, or in the backward pass.
struct Place {
  int node = 0;
  bool is_backward = false;
  bool operator==(const Place&) const = default;
};

/// All places of both passes in order: every node, then those that a gradient reached, backwards.
std::vector<Place> places_of(const Trace& trace);

/// Whether to stop at a place.
struct Condition {
  std::string text;
  std::function<bool(const Trace&, const Place&)> holds;
};

/// Reads tests joined by "and":
///
///     12                          at this node
///     op NAME, layer PATH, parameter NAME, time N
///     forward, backward           in this pass only
///     nan                         NaN or an infinity begins here, in a value (forward) or in a
///                                 gradient (backward): see core/trace/not_finite.h
///     wrong                       the gradient rule was found to disagree
///     value > N, gradient < N     the norm; value.max, gradient.mean … for other figures
///
/// A test of values holds in the forward pass, one of gradients in the backward pass. NaN is
/// neither above nor below a bound.
/// Throws Error for anything else, and for names that are not in the trace, with the nearest.
Condition parse_condition(const Trace& trace, std::string_view text);

/// The one of `words` that is most like `word`, for "did you mean"; empty if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& words);
/// "; did you mean 'matmul'?", or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& words);

/// The words of a line, parted by white space.
std::vector<std::string> words_of(std::string_view text);

/// 0, 1, 2 … Throws Error for anything else.
int whole_number(const std::string& text);
/// 1, 2 …
int count_of(const std::string& text);

/// The names in the trace, without repetition, in order of appearance.
std::vector<std::string> ops_of(const Trace& trace);
std::vector<std::string> layers_of(const Trace& trace);  ///< with the layers around them
std::vector<std::string> parameters_of(const Trace& trace);

/// Whether `path` lies in `layer`: "decoder.attention.score" lies in "attention" and "decoder".
bool lies_in(std::string_view path, std::string_view layer);

}  // namespace gradus::step
