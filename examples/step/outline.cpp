#include "examples/step/outline.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace gradus::step {

namespace {

constexpr size_t most_parts = 48;
constexpr int deepest = 64;  // what lies further inside belongs to the last group

/// Puts nodes, in order, into a group, the first `at` characters of whose paths lead to it.
class Builder {
 public:
  Builder(const Trace& trace, std::vector<Group>& groups) : trace_(trace), groups_(groups) {}

  void fill(int group, const std::vector<int>& nodes, size_t at, bool in_time_step, int depth) {
    if (depth == deepest) {
      for (int n : nodes) groups_[static_cast<size_t>(group)].parts.push_back({false, n});
      return;
    }
    std::vector<int> rest;
    for (const std::vector<int>& run : runs(nodes, at)) {
      if (in_time_step || !is_loop(run, at)) {
        rest.insert(rest.end(), run.begin(), run.end());
      } else if (run.size() == nodes.size()) {
        return split_by_time(group, run, at, depth);
      } else {
        split_by_time(add(group, fmt::format("t = {} … {}", trace_.node(run.front()).time,
                                             trace_.node(run.back()).time)),
                      run, at, depth);
      }
    }
    std::vector<std::pair<std::string, std::vector<int>>> layers;
    std::map<std::string, size_t> places;
    for (int n : rest) {
      const std::string name = layer_of(n, at);
      if (name.empty()) {
        groups_[static_cast<size_t>(group)].parts.push_back({false, n});
        continue;
      }
      const auto [place, is_new] = places.try_emplace(name, layers.size());
      if (is_new) layers.push_back({name, {}});
      layers[place->second].second.push_back(n);
    }
    for (const auto& [name, members] : layers)
      fill(add(group, name), members, at + name.size() + 1, in_time_step, depth + 1);
  }

  int add(int parent, std::string name) {
    const int number = static_cast<int>(groups_.size());
    groups_.push_back({std::move(name), parent, false, {}});
    groups_[static_cast<size_t>(parent)].parts.push_back({true, number});
    return number;
  }

 private:
  /// The layer within the group, or "" where the group itself computes.
  std::string layer_of(int node, size_t at) const {
    const std::string& path = trace_.node(node).path;
    return at < path.size() ? path.substr(at, path.find('.', at) - at) : "";
  }

  std::set<int64_t> times_of(const std::vector<int>& run) const {
    std::set<int64_t> times;
    for (int n : run) times.insert(trace_.node(n).time);
    return times;
  }

  /// Parts the nodes where a loop over time may begin or end: where there are no time steps, where
  /// time turns round, and where a layer appears that the time steps so far had not.
  std::vector<std::vector<int>> runs(const std::vector<int>& nodes, size_t at) const {
    std::vector<std::vector<int>> result;
    std::set<std::string> layers;
    std::set<int64_t> times;  // of the last run
    int64_t last = -1;
    int direction = 0;
    for (int n : nodes) {
      const int64_t time = trace_.node(n).time;
      const int turn = (time > last) - (time < last);
      const std::string layer = layer_of(n, at);
      if (result.empty() || (time < 0) != (last < 0) || turn * direction < 0 ||
          (!layers.contains(layer) && times.size() > 2)) {
        result.emplace_back();
        layers.clear();
        times.clear();
        direction = 0;
      } else if (turn != 0) {
        direction = turn;
      }
      layers.insert(layer);
      times.insert(time);
      result.back().push_back(n);
      last = time;
    }
    return result;
  }

  /// Whether it goes through several time steps and is not the business of one layer within.
  bool is_loop(const std::vector<int>& run, size_t at) const {
    if (trace_.node(run[0]).time < 0 || times_of(run).size() < 2) return false;
    const std::string layer = layer_of(run[0], at);
    return layer.empty() ||
           std::any_of(run.begin(), run.end(), [&](int n) { return layer_of(n, at) != layer; });
  }

  void split_by_time(int group, const std::vector<int>& run, size_t at, int depth) {
    groups_[static_cast<size_t>(group)].over_time = true;
    for (size_t begin = 0, end; begin < run.size(); begin = end) {
      const int64_t time = trace_.node(run[begin]).time;
      end = begin;
      while (end < run.size() && trace_.node(run[end]).time == time) ++end;
      fill(add(group, fmt::format("t = {}", time)),
           {run.begin() + static_cast<std::ptrdiff_t>(begin),
            run.begin() + static_cast<std::ptrdiff_t>(end)},
           at, true, depth + 1);
    }
  }

  const Trace& trace_;
  std::vector<Group>& groups_;
};

}  // namespace

Outline::Outline(const Trace& trace) : groups(1), group_of(static_cast<size_t>(trace.size()), 0) {
  std::vector<int> ops;
  for (int n = 0; n < trace.size(); ++n)
    if (trace.node(n).kind == TraceNode::Kind::op) ops.push_back(n);
  Builder builder(trace, groups);
  builder.fill(0, ops, 0, false, 0);

  std::vector<int> first(groups.size(), trace.size());  // node of each group
  const auto first_of = [&](const Part& part) {
    return part.is_group ? first[static_cast<size_t>(part.number)] : part.number;
  };
  const auto in_order = [&](const Part& a, const Part& b) { return first_of(a) < first_of(b); };
  for (size_t g = groups.size(); g-- > 0;) {
    std::stable_sort(groups[g].parts.begin(), groups[g].parts.end(), in_order);
    if (!groups[g].parts.empty()) first[g] = first_of(groups[g].parts[0]);
  }

  for (size_t g = 0; g < groups.size(); ++g) {  // grows on the way
    if (groups[g].parts.size() <= most_parts) continue;
    const std::vector<Part> parts = std::move(groups[g].parts);
    groups[g].parts.clear();
    const size_t run = std::max(most_parts, (parts.size() + most_parts - 1) / most_parts);
    for (size_t begin = 0; begin < parts.size(); begin += run) {
      const size_t end = std::min(begin + run, parts.size());
      const auto name = [&](const Part& part) {
        return part.is_group ? groups[static_cast<size_t>(part.number)].name
                             : fmt::format("#{}", part.number);
      };
      const int added = builder.add(
          static_cast<int>(g), fmt::format("{} … {}", name(parts[begin]), name(parts[end - 1])));
      Group& group = groups[static_cast<size_t>(added)];
      group.over_time = groups[g].over_time;
      group.parts.assign(parts.begin() + static_cast<std::ptrdiff_t>(begin),
                         parts.begin() + static_cast<std::ptrdiff_t>(end));
      for (const Part& part : group.parts)
        if (part.is_group) groups[static_cast<size_t>(part.number)].parent = added;
    }
  }

  for (size_t g = 0; g < groups.size(); ++g)
    for (const Part& part : groups[g].parts)
      if (!part.is_group) group_of[static_cast<size_t>(part.number)] = static_cast<int>(g);
  std::vector<std::vector<Part>> leaves(groups.size());  // before the ops, in order
  for (int n = 0; n < trace.size(); ++n) {
    if (trace.node(n).kind == TraceNode::Kind::op) continue;
    int group = -1;
    for (int user : trace.users(n)) {
      const int its = group_of[static_cast<size_t>(user)];
      group = group < 0 ? its : common(group, its);
    }
    group = std::max(group, 0);
    group_of[static_cast<size_t>(n)] = group;
    leaves[static_cast<size_t>(group)].push_back({false, n});
  }
  for (size_t g = 0; g < groups.size(); ++g)
    groups[g].parts.insert(groups[g].parts.begin(), leaves[g].begin(), leaves[g].end());
}

int Outline::common(int group, int other) const {
  const auto depth = [&](int g) {
    int result = 0;
    while ((g = groups[static_cast<size_t>(g)].parent) >= 0) ++result;
    return result;
  };
  const auto parent = [&](int g) { return groups[static_cast<size_t>(g)].parent; };
  int a = depth(group), b = depth(other);
  for (; a > b; --a) group = parent(group);
  for (; b > a; --b) other = parent(other);
  while (group != other) {
    group = parent(group);
    other = parent(other);
  }
  return group;
}

}  // namespace gradus::step
