#include "core/trace/not_finite.h"

#include <algorithm>

namespace gradus {

int worst_number(const TraceTensor& x) {
  if (!x.defined()) return 0;
  const Summary& s = x.summary();
  return s.nans > 0 ? 2 : s.infinities > 0 ? 1 : 0;
}

bool value_breaks(const Trace& trace, int number) {
  const TraceNode& node = trace.node(number);
  const int worst = worst_number(node.value);
  if (node.kind == TraceNode::Kind::constant) return worst == 2;
  return worst > 0 && std::ranges::all_of(node.inputs, [&](int input) {
           return worst_number(trace.node(input).value) < worst;
         });
}

bool gradient_breaks(const Trace& trace, int number) {
  const TraceNode& node = trace.node(number);
  if (!node.gradient.defined()) return false;
  const int worst = worst_number(node.gradient);
  const auto is_worse = [&](const TraceTensor& x) { return worst_number(x) > worst; };
  // What is sent is made when asked for: the inputs' gradients, which hold it, tell whether to ask.
  if (std::ranges::any_of(node.inputs, [&](int i) { return is_worse(trace.node(i).gradient); }) &&
      std::ranges::any_of(trace.sent(number), is_worse))
    return true;
  return worst > 0 && std::ranges::none_of(trace.users(number), [&](int user) {
           const std::vector<TraceTensor> sent = trace.sent(user);
           for (size_t i = 0; i < sent.size(); ++i)
             if (trace.node(user).inputs[i] == number && worst_number(sent[i]) >= worst)
               return true;
           return false;
         });
}

}  // namespace gradus
