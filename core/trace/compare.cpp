#include "core/trace/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
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
    if (std::tie(x.nans, x.infinities, x.negative_infinities) !=
        std::tie(y.nans, y.infinities, y.negative_infinities))
      result.largest = infinity;
  }
  if (result.largest > tolerance * magnitude) return result;
  return std::nullopt;
}

}  // namespace

double largest_difference(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  double largest = 0;
  for (size_t i = 0; i < x.size(); ++i) largest = std::max(largest, distance(x[i], y[i]));
  return largest;
}

namespace {

// --- pairing ------------------------------------------------------------------------------------

/// What two nodes have in common that stand for each other.
using Key = std::tuple<TraceNode::Kind, std::string, std::string, std::string, int64_t>;
Key key_of(const TraceNode& n) { return {n.kind, n.op, n.name, n.path, n.time}; }
/// Of others only what reads them can tell.
bool has_key(const TraceNode& n) { return n.kind == TraceNode::Kind::op || !n.name.empty(); }

/// The key, and what the node reads of constants, which tells apart ops of one kind in a row.
using FullKey = std::tuple<Key, std::string>;

/// The numbers of the nodes with a key.
struct Keys {
  std::vector<int> nodes;
  std::vector<FullKey> keys;
  int size = 0;  // of the trace
};
Keys keys_of(const Trace& trace) {
  Keys result;
  result.size = trace.size();
  for (int n = 0; n < trace.size(); ++n) {
    const TraceNode& node = trace.node(n);
    if (!has_key(node)) continue;
    std::string constants;
    for (int input : node.inputs)
      if (const TraceNode& x = trace.node(input); x.kind == TraceNode::Kind::constant)
        constants += fmt::format("{} {} {};", x.value.shape().text(), x.value.summary().mean,
                                 x.value.summary().norm);
    result.nodes.push_back(n);
    result.keys.emplace_back(key_of(node), std::move(constants));
  }
  return result;
}

/// For each node of `a` its partner in a longest common subsequence of the keys, or −1: what was
/// put in or taken out shifts nothing (E. Myers, An O(ND) difference algorithm, 1986). Nothing is
/// found where more than `most` nodes were.
std::vector<int> in_common(const Keys& a, const Keys& b) {
  constexpr int most = 2000;
  std::map<FullKey, int> numbers;
  const auto numbered = [&](const Keys& keys) {
    std::vector<int> result;
    for (const FullKey& key : keys.keys)
      result.push_back(numbers.try_emplace(key, static_cast<int>(numbers.size())).first->second);
    return result;
  };
  const std::vector<int> x = numbered(a), y = numbered(b);
  const int n = static_cast<int>(x.size()), m = static_cast<int>(y.size());
  std::vector<int> partners(static_cast<size_t>(a.size), -1);
  // reach[k]: how far into x one gets on the diagonal i − j = k with so many insertions and
  // deletions; of every number of them, to find the way back.
  std::vector<std::vector<int>> history;
  std::vector<int> reach(static_cast<size_t>(2 * most + 3), 0);
  const auto at = [&](std::vector<int>& r, int k) -> int& {
    return r[static_cast<size_t>(k + most + 1)];
  };
  for (int d = 0; d <= most; ++d) {
    history.emplace_back(reach.begin() + (most + 1 - d), reach.begin() + (most + 2 + d));
    for (int k = -d; k <= d; k += 2) {
      int i = k == -d || (k != d && at(reach, k - 1) < at(reach, k + 1)) ? at(reach, k + 1)
                                                                         : at(reach, k - 1) + 1;
      int j = i - k;
      while (i < n && j < m && x[static_cast<size_t>(i)] == y[static_cast<size_t>(j)]) ++i, ++j;
      at(reach, k) = i;
      if (i < n || j < m) continue;
      for (; d >= 0; --d) {
        const std::vector<int>& before = history[static_cast<size_t>(d)];  // from diagonal −d to d
        const auto on = [&](int k) { return before[static_cast<size_t>(k + d)]; };
        k = i - j;
        const bool is_insertion = d > 0 && (k == -d || (k != d && on(k - 1) < on(k + 1)));
        const int begin = d == 0 ? 0 : is_insertion ? on(k + 1) : on(k - 1) + 1;
        while (i > begin) {
          --i, --j;
          partners[static_cast<size_t>(a.nodes[static_cast<size_t>(i)])] =
              b.nodes[static_cast<size_t>(j)];
        }
        is_insertion ? --j : --i;
      }
      return partners;
    }
  }
  return partners;
}

}  // namespace

std::vector<int> align(const Trace& a, const Trace& b) {
  std::vector<int> partners = in_common(keys_of(a), keys_of(b));
  std::vector<bool> is_paired(static_cast<size_t>(b.size()), false);
  for (int partner : partners)
    if (partner >= 0) is_paired[static_cast<size_t>(partner)] = true;
  const auto pair = [&](int x, int y) {
    partners[static_cast<size_t>(x)] = y;
    is_paired[static_cast<size_t>(y)] = true;
  };
  // What was moved, or reads other constants.
  std::map<Key, std::deque<int>> left;
  for (int n = 0; n < b.size(); ++n)
    if (has_key(b.node(n)) && !is_paired[static_cast<size_t>(n)])
      left[key_of(b.node(n))].push_back(n);
  for (int n = 0; n < a.size(); ++n) {
    if (!has_key(a.node(n)) || partners[static_cast<size_t>(n)] >= 0) continue;
    std::deque<int>& others = left[key_of(a.node(n))];
    if (others.empty()) continue;
    pair(n, others.front());
    others.pop_front();
  }
  for (int n = 0; n < a.size(); ++n) {
    if (partners[static_cast<size_t>(n)] < 0) continue;
    const std::vector<int>& x = a.node(n).inputs;
    const std::vector<int>& y = b.node(partners[static_cast<size_t>(n)]).inputs;
    if (x.size() != y.size()) continue;
    for (size_t i = 0; i < x.size(); ++i) {
      const TraceNode &one = a.node(x[i]), &other = b.node(y[i]);
      if (one.kind == other.kind && !has_key(one) && !has_key(other) &&
          partners[static_cast<size_t>(x[i])] < 0 && !is_paired[static_cast<size_t>(y[i])])
        pair(x[i], y[i]);
    }
  }
  return partners;
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
