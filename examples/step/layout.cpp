#include "examples/step/layout.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace gradus::step {

namespace {

constexpr double gap = 22;       // between neighbours of a rank
constexpr double bend = 14;      // the room of an edge that passes a rank
constexpr double distance = 86;  // from rank to rank
constexpr int sweeps = 8;

/// The parts of a group, and where an edge passes a rank.
struct Vertex {
  int rank = 0;
  double size = bend, at = 0;
  std::vector<int> before = {}, after = {};
};

/// The numbers of least squares from `wanted` that grow by at least `steps[i]` from i to i + 1
/// (pool adjacent violators, on what is left without the steps).
std::vector<double> apart(const std::vector<double>& wanted, const std::vector<double>& steps) {
  struct Pool {
    double sum;
    int count;
    double mean() const { return sum / count; }
  };
  std::vector<Pool> pools;
  double offset = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (i > 0) offset += steps[i - 1];
    pools.push_back({wanted[i] - offset, 1});
    while (pools.size() > 1 && pools.back().mean() < pools[pools.size() - 2].mean()) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back().sum += last.sum;
      pools.back().count += last.count;
    }
  }
  std::vector<double> result;
  offset = 0;
  for (const Pool& pool : pools)
    for (int k = 0; k < pool.count; ++k) {
      if (!result.empty()) offset += steps[result.size() - 1];
      result.push_back(pool.mean() + offset);
    }
  return result;
}

/// Edges are pairs (earlier, later) of places among `sizes`.
struct Ranks {
  std::vector<Vertex> vertices;
  std::vector<std::vector<int>> ranks;

  Ranks(const std::vector<double>& sizes, const std::set<std::pair<int, int>>& edges) {
    const int count = static_cast<int>(sizes.size());
    for (double size : sizes) vertices.push_back({.size = size});
    std::vector<std::vector<int>> users(sizes.size());
    std::vector<bool> reads(sizes.size(), false);
    for (const auto& [from, to] : edges) {
      Vertex& user = (*this)[to];
      user.rank = std::max(user.rank, (*this)[from].rank + 1);
      users[static_cast<size_t>(from)].push_back(to);
      reads[static_cast<size_t>(to)] = true;
    }
    // What begins here, weights for instance, stands just above its first user.
    for (int v = 0; v < count; ++v)
      if (const auto& of = users[static_cast<size_t>(v)];
          !reads[static_cast<size_t>(v)] && !of.empty()) {
        int first = (*this)[of[0]].rank;
        for (int user : of) first = std::min(first, (*this)[user].rank);
        (*this)[v].rank = first - 1;
      }
    for (const auto& [from, to] : edges) {
      int above = from;
      for (int rank = (*this)[from].rank + 1; rank < (*this)[to].rank; ++rank) {
        vertices.push_back({.rank = rank});
        above = connect(above, static_cast<int>(vertices.size()) - 1);
      }
      connect(above, to);
    }
    for (size_t v = 0; v < vertices.size(); ++v) {
      const auto rank = static_cast<size_t>(vertices[v].rank);
      if (rank >= ranks.size()) ranks.resize(rank + 1);
      ranks[rank].push_back(static_cast<int>(v));
    }
    for (std::vector<int>& rank : ranks) place(rank, &Vertex::before, false);
    for (int sweep = 0; sweep < sweeps; ++sweep) {
      const bool orders = sweep < sweeps / 2;
      for (auto rank = ranks.rbegin(); rank != ranks.rend(); ++rank)
        place(*rank, &Vertex::after, orders);
      for (std::vector<int>& rank : ranks) place(rank, &Vertex::before, orders);
    }
  }

 private:
  Vertex& operator[](int v) { return vertices[static_cast<size_t>(v)]; }

  int connect(int from, int to) {
    (*this)[from].after.push_back(to);
    (*this)[to].before.push_back(from);
    return to;
  }

  /// Moves a rank's vertices towards the middle of their neighbours on one side, in their order, or
  /// in a new one by these middles.
  void place(std::vector<int>& rank, std::vector<int> Vertex::*side, bool orders) {
    std::map<int, double> wanted;
    for (int v : rank) {
      const std::vector<int>& near = (*this)[v].*side;
      double sum = 0;
      for (int other : near) sum += (*this)[other].at;
      wanted[v] = near.empty() ? (*this)[v].at : sum / static_cast<double>(near.size());
    }
    if (orders)
      std::stable_sort(rank.begin(), rank.end(),
                       [&](int a, int b) { return wanted[a] < wanted[b]; });
    std::vector<double> middles, steps;
    for (size_t i = 0; i < rank.size(); ++i) {
      middles.push_back(wanted[rank[i]]);
      if (i > 0) steps.push_back(((*this)[rank[i - 1]].size + (*this)[rank[i]].size) / 2 + gap);
    }
    const std::vector<double> places = apart(middles, steps);
    for (size_t i = 0; i < rank.size(); ++i) (*this)[rank[i]].at = places[i];
  }
};

}  // namespace

std::vector<Layout> lay_out(const Trace& trace, const Outline& outline) {
  const std::vector<Group>& groups = outline.groups;
  std::vector<std::map<Part, int>> places(groups.size());
  for (size_t g = 0; g < groups.size(); ++g)
    for (const Part& part : groups[g].parts)
      places[g].emplace(part, static_cast<int>(places[g].size()));
  std::vector<std::set<std::pair<int, int>>> edges(groups.size());
  const auto place_in = [&](int group, int node) {
    Part part{false, node};
    for (int g = outline.group_of[static_cast<size_t>(node)]; g != group;
         g = groups[static_cast<size_t>(g)].parent)
      part = {true, g};
    return places[static_cast<size_t>(group)].at(part);
  };
  for (int n = 0; n < trace.size(); ++n)
    for (int input : trace.node(n).inputs) {
      const int group = outline.common(outline.group_of[static_cast<size_t>(n)],
                                       outline.group_of[static_cast<size_t>(input)]);
      // Back to an earlier part goes what a group computes between two of its users: no rank for
      // it.
      const int from = place_in(group, input), to = place_in(group, n);
      if (from < to) edges[static_cast<size_t>(group)].emplace(from, to);
    }
  std::vector<Layout> layouts;
  for (size_t g = 0; g < groups.size(); ++g) {
    const bool across = groups[g].over_time;
    std::vector<double> sizes;
    for (const Part& part : groups[g].parts) {
      const BoxSize box = !part.is_group ? node_box : across ? time_box : group_box;
      sizes.push_back(across ? box.height : box.width);
    }
    const Ranks ranks(sizes, edges[g]);
    Layout& layout = layouts.emplace_back();
    for (size_t i = 0; i < sizes.size(); ++i) {
      const Vertex& v = ranks.vertices[i];
      layout.emplace_back(across ? std::pair(v.rank * distance, v.at)
                                 : std::pair(v.at, v.rank * distance));
    }
  }
  return layouts;
}

}  // namespace gradus::step
