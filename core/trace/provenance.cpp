#include "core/trace/provenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/autograd/autograd.h"
#include "core/kernels/simd.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"
#include "core/tensor/tensor.h"

namespace gradus {

namespace {

/// g ∘ ∂y/∂x[element] of a node: how much each element of its value contributes. The rule is linear
/// in g, so the derivative of its result with respect to g is that ∂y/∂x.
std::vector<double> contributions(const Trace& trace, int number, size_t input, int64_t element) {
  const TraceNode& node = trace.node(number);
  std::vector<Tensor> inputs;
  std::vector<bool> wanted(node.inputs.size(), false);
  wanted[input] = true;
  auto in_float64 = [](const Tensor& x) { return x.is_float() ? cast(x, DType::float64) : x; };
  for (int i : node.inputs) inputs.push_back(in_float64(trace.node(i).value.values()).detach());
  inputs[input].require_grad();
  Tensor g = Tensor::uninitialised(node.value.shape(), DType::float64);
  g.assign(in_float64(node.gradient.values()));
  g.require_grad();
  const Tensor sent = apply_rule(node.op.c_str(), trace.rule(number), inputs,
                                 in_float64(node.value.values()), g, wanted)[input];
  std::vector<double> result(static_cast<size_t>(g.numel()), 0);
  if (!sent.defined() || !sent.requires_grad()) return result;
  Tensor one = zeros(sent.shape(), DType::float64);
  one.mutable_span<double>()[static_cast<size_t>(element)] = 1;
  const Tensor slope = grad({sent}, {g}, {.zero_if_unreached = true}, {one})[0];
  const std::vector<double> gradient = g.to_vector<double>(), slopes = slope.to_vector<double>();
  for (size_t i = 0; i < result.size(); ++i)  // where nothing flows, a NaN does not either
    if (slopes[i] != 0) result[i] = gradient[i] * slopes[i];
  return result;
}

/// The shape under which people know the value: that of a view right after it which parts the rows
/// on more axes and leaves each row whole.
Shape known_shape(const Trace& trace, int number) {
  const Shape& shape = trace.node(number).value.shape();
  if (trace.users(number).size() != 1 || shape.rank() == 0) return shape;
  const TraceNode& next = trace.node(trace.users(number)[0]);
  const Shape& later = next.value.shape();
  return next.is_view && later.rank() > shape.rank() && later.numel() == shape.numel() &&
                 later.back() == shape.back()
             ? later
             : shape;
}

/// What one element of a node's value has gone into: an input of another node.
struct Use {
  int node;
  size_t input;
  int64_t element;
};

/// Appends the uses so that the first of them is the last: the next to be looked at.
void push_uses(const Trace& trace, int number, int64_t element, std::vector<Use>& waiting) {
  const std::vector<int>& users = trace.users(number);
  for (auto user = users.rbegin(); user != users.rend(); ++user) {
    const TraceNode& node = trace.node(*user);
    if (!node.gradient.defined()) continue;
    for (size_t input = node.inputs.size(); input-- > 0;)
      if (node.inputs[input] == number) waiting.push_back({*user, input, element});
  }
}

std::vector<Contribution> collect(const Trace& trace, int number, int64_t element) {
  std::vector<Contribution> result;
  std::vector<Use> waiting;
  push_uses(trace, number, element, waiting);
  while (!waiting.empty()) {
    const Use use = waiting.back();
    waiting.pop_back();
    const std::vector<double> parts = contributions(trace, use.node, use.input, use.element);
    if (trace.node(use.node).is_view) {  // looked through
      for (size_t i = parts.size(); i-- > 0;)
        if (parts[i] != 0) push_uses(trace, use.node, static_cast<int64_t>(i), waiting);
      continue;
    }
    const Shape shape = known_shape(trace, use.node);
    const size_t width = shape.rank() > 0 ? static_cast<size_t>(shape.back()) : 1;
    for (size_t begin = 0; begin < parts.size(); begin += width) {
      const double amount =
          simd::kernels<double>().sum(parts.data() + begin, static_cast<int64_t>(width));
      if (amount == 0) continue;
      const Shape first = index_of(shape, static_cast<int64_t>(begin));
      result.push_back({use.node, {first.begin(), first.end()}, amount});
      if (shape.rank() > 0) result.back().at.pop_back();
    }
  }
  return result;
}

}  // namespace

std::vector<Contribution> provenance(const Trace& trace, int number, int64_t element) {
  const TraceTensor& gradient = trace.node(number).gradient;
  if (!gradient.defined())
    throw Error(fmt::format("provenance: no gradient arrived at {}", trace.description(number)));
  if (element < 0 || element >= gradient.shape().numel())
    throw Error(fmt::format("provenance: there is no element {} in {} of {}", element,
                            gradient.shape().text(), trace.description(number)));
  std::vector<Contribution> result;
  if (trace.is_live()) {
    Observer* const before = std::exchange(observer, nullptr);
    try {
      result = collect(trace, number, element);
    } catch (...) {
      observer = before;
      throw;
    }
    observer = before;
  } else {
    for (int user : trace.users(number)) {
      const std::vector<TraceTensor> sent = trace.sent(user);
      for (size_t i = 0; i < sent.size(); ++i) {
        if (trace.node(user).inputs[i] != number || !sent[i].defined()) continue;
        const double amount = sent[i].values().to_vector<double>()[static_cast<size_t>(element)];
        if (amount != 0) result.push_back({user, {}, amount});
      }
    }
  }
  const auto size = [](const Contribution& part) {  // NaN first
    return std::isnan(part.amount) ? std::pair(1, 0.) : std::pair(0, std::abs(part.amount));
  };
  std::stable_sort(result.begin(), result.end(),
                   [&](const Contribution& a, const Contribution& b) { return size(a) > size(b); });
  return result;
}

}  // namespace gradus
