#include "core/trace/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

namespace gradus {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

double distance(double x, double y) {
  if (x == y || (std::isnan(x) && std::isnan(y))) return 0;
  const double d = std::abs(x - y);
  return std::isnan(d) ? infinity : d;
}

/// The tensors' largest difference beyond the tolerance, if there is one.
std::optional<Difference> differing(Difference::What what, const TraceTensor& a,
                                    const TraceTensor& b, double tolerance) {
  Difference result{what};
  if (a.defined() != b.defined()) {
    result.largest = infinity;
    return result;
  }
  if (!a.defined() || a.shape() != b.shape()) return std::nullopt;
  double magnitude = 0;
  for (const Summary* s : {&a.summary(), &b.summary()})
    magnitude = std::max({magnitude, std::abs(s->min), std::abs(s->max)});
  if (a.is_whole() && b.is_whole()) {
    const std::vector<double> x = a.values().to_vector<double>(),
                              y = b.values().to_vector<double>();
    for (size_t i = 0; i < x.size(); ++i)
      if (const double d = distance(x[i], y[i]); d > result.largest) {
        result.largest = d;
        result.element = static_cast<int64_t>(i);
      }
  } else {
    const Summary &x = a.summary(), &y = b.summary();
    result.largest = std::max({distance(x.min, y.min), distance(x.max, y.max),
                               distance(x.mean, y.mean), distance(x.norm, y.norm)});
    if (std::tie(x.nans, x.infinities) != std::tie(y.nans, y.infinities)) result.largest = infinity;
  }
  if (result.largest > tolerance * magnitude) return result;
  return std::nullopt;
}

}  // namespace

std::vector<int> align(const Trace& a, const Trace& b) {
  using Key = std::tuple<TraceNode::Kind, std::string, std::string, std::string, int64_t>;
  auto key = [](const TraceNode& n) { return Key(n.kind, n.op, n.name, n.path, n.time); };
  std::map<Key, std::pair<size_t, std::vector<int>>> places;  // the next to be paired, all
  for (int n = 0; n < b.size(); ++n) places[key(b.node(n))].second.push_back(n);
  std::vector<int> result;
  for (const TraceNode& node : a.nodes()) {
    auto& [next, numbers] = places[key(node)];
    result.push_back(next < numbers.size() ? numbers[next++] : -1);
  }
  return result;
}

std::vector<Difference> compare(const Trace& a, const Trace& b, double tolerance) {
  using What = Difference::What;
  const std::vector<int> partners = align(a, b);
  std::vector<bool> paired(static_cast<size_t>(b.size()), false);
  for (int partner : partners)
    if (partner >= 0) paired[static_cast<size_t>(partner)] = true;

  std::vector<Difference> result;
  int next = 0;  // of b, so that what only b has comes where it belongs
  auto add_only_in_b = [&](int end) {
    for (; next < end; ++next)
      if (!paired[static_cast<size_t>(next)]) result.push_back({What::only_in_b, -1, next});
  };
  auto add = [&](std::optional<Difference> difference, int n) {
    if (!difference) return;
    difference->a = n;
    difference->b = partners[static_cast<size_t>(n)];
    result.push_back(*difference);
  };
  for (int n = 0; n < a.size(); ++n) {
    const int partner = partners[static_cast<size_t>(n)];
    if (partner < 0) {
      result.push_back({What::only_in_a, n});
      continue;
    }
    add_only_in_b(partner);
    const TraceNode &x = a.node(n), &y = b.node(partner);
    if (x.formula != y.formula || x.derivatives != y.derivatives || x.attributes != y.attributes)
      add(Difference{What::formula}, n);
    if (x.value.shape() != y.value.shape() || x.value.dtype() != y.value.dtype())
      add(Difference{What::shape}, n);
    add(differing(What::value, x.value, y.value, tolerance), n);
    if (x.verdict && y.verdict && x.verdict->result != y.verdict->result)
      add(Difference{What::verdict}, n);
  }
  add_only_in_b(b.size());
  for (int n = a.size() - 1; n >= 0; --n)
    if (const int partner = partners[static_cast<size_t>(n)]; partner >= 0)
      add(differing(What::gradient, a.node(n).gradient, b.node(partner).gradient, tolerance), n);
  return result;
}

}  // namespace gradus
