#include "examples/step/outline.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace gradus::step {

namespace {

constexpr size_t most_parts = 48;

/// "decoder.attention.score" from `begin` on: the first name and where the next one begins.
std::pair<std::string, size_t> first_name(const std::string& path, size_t begin) {
  const size_t end = std::min(path.find('.', begin), path.size());
  return {path.substr(begin, end - begin), end + 1};
}

/// What is grouped lies below `at` characters of its path.
class Builder {
 public:
  Builder(const Trace& trace, std::vector<Group>& groups) : trace_(trace), groups_(groups) {}

  void fill(int group, const std::vector<int>& nodes, size_t at, bool in_time_step) {
    if (!in_time_step && over_time(nodes)) return split_by_time(group, nodes, at);
    std::vector<int> own;
    std::vector<std::pair<std::string, std::vector<int>>> layers;
    size_t next = 0;
    for (int n : nodes) {
      const std::string& path = trace_.node(n).path;
      if (at >= path.size()) {
        own.push_back(n);
        continue;
      }
      const std::string name = first_name(path, at).first;
      auto layer = std::find_if(layers.begin(), layers.end(),
                                [&](const auto& layer) { return layer.first == name; });
      if (layer == layers.end()) layer = layers.insert(layer, {name, {}});
      layer->second.push_back(n);
    }
    for (const auto& [name, members] : layers) {
      next = first_name(trace_.node(members[0]).path, at).second;
      fill(add(group, name), members, next, in_time_step);
    }
    if (!in_time_step && over_time(own)) return split_by_time(group, own, at);
    for (int n : own) groups_[static_cast<size_t>(group)].parts.push_back({false, n});
  }

  int add(int parent, std::string name) {
    const int number = static_cast<int>(groups_.size());
    groups_.push_back({std::move(name), parent, false, {}});
    groups_[static_cast<size_t>(parent)].parts.push_back({true, number});
    return number;
  }

 private:
  bool over_time(const std::vector<int>& nodes) const {
    std::set<int64_t> times;
    for (int n : nodes) times.insert(trace_.node(n).time);
    return times.size() > 1 && *times.begin() >= 0;
  }

  void split_by_time(int group, const std::vector<int>& nodes, size_t at) {
    groups_[static_cast<size_t>(group)].over_time = true;
    std::map<int64_t, std::vector<int>> steps;
    for (int n : nodes) steps[trace_.node(n).time].push_back(n);
    for (const auto& [time, members] : steps)
      fill(add(group, fmt::format("t = {}", time)), members, at, true);
  }

  const Trace& trace_;
  std::vector<Group>& groups_;
};

}  // namespace

Outline::Outline(const Trace& trace) : groups(1), group_of(static_cast<size_t>(trace.size()), 0) {
  std::vector<int> steps;
  for (int n = 0; n < trace.size(); ++n)
    if (trace.node(n).kind == TraceNode::Kind::step) steps.push_back(n);
  Builder builder(trace, groups);
  builder.fill(0, steps, 0, false);

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
  for (int n = trace.size() - 1; n >= 0; --n) {
    if (trace.node(n).kind == TraceNode::Kind::step) continue;
    int group = -1;
    for (int user : trace.users(n)) {
      const int its = group_of[static_cast<size_t>(user)];
      group = group < 0 ? its : common(group, its);
    }
    group = std::max(group, 0);
    group_of[static_cast<size_t>(n)] = group;
    std::vector<Part>& parts = groups[static_cast<size_t>(group)].parts;
    parts.insert(parts.begin(), {false, n});
  }
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
