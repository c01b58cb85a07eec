#include "examples/step/layout.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <sstream>

namespace gradus::step {

namespace {

std::string name_of(const Part& part) {
  return fmt::format("{}{}", part.is_group ? 'g' : 'n', part.number);
}

/// All groups as graphs of Graphviz's language. It sees numbers only, no names.
std::string graphs_of(const Trace& trace, const Outline& outline) {
  const std::vector<Group>& groups = outline.groups;
  std::vector<std::set<std::pair<Part, Part>>> edges(groups.size());
  const auto part_in = [&](int group, int node) {
    Part part{false, node};
    for (int g = outline.group_of[static_cast<size_t>(node)]; g != group;
         g = groups[static_cast<size_t>(g)].parent)
      part = {true, g};
    return part;
  };
  for (int n = 0; n < trace.size(); ++n)
    for (int input : trace.node(n).inputs) {
      const int group = outline.common(outline.group_of[static_cast<size_t>(n)],
                                       outline.group_of[static_cast<size_t>(input)]);
      const Part from = part_in(group, input), to = part_in(group, n);
      if (from < to || to < from) edges[static_cast<size_t>(group)].insert({from, to});
    }
  std::string text;
  for (size_t g = 0; g < groups.size(); ++g) {
    text += fmt::format("digraph {{ rankdir={}; node [shape=box, fixedsize=true, label=\"\"];\n",
                        groups[g].over_time ? "LR" : "TB");
    for (const Part& part : groups[g].parts) {
      const BoxSize box = !part.is_group ? node_box : groups[g].over_time ? time_box : group_box;
      text += fmt::format("{} [width={:.4f}, height={:.4f}];\n", name_of(part), box.width / 72,
                          box.height / 72);
    }
    for (const auto& [from, to] : edges[g])
      text += fmt::format("{} -> {};\n", name_of(from), name_of(to));
    text += "}\n";
  }
  return text;
}

/// What `dot -Tplain` prints for `graphs`, or "" when there is no dot.
std::string run_dot(const std::string& graphs) {
  std::string file = (std::filesystem::temp_directory_path() / "gradus-XXXXXX").string();
  const int descriptor = mkstemp(file.data());
  if (descriptor < 0) return "";
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> writer(fdopen(descriptor, "w"), std::fclose);
  std::fwrite(graphs.data(), 1, graphs.size(), writer.get());
  writer.reset();
  std::string out;
  const std::string command = fmt::format("LC_ALL=C dot -Tplain '{}' 2>/dev/null", file);
  if (std::FILE* pipe = popen(command.c_str(), "r")) {
    char buffer[65536];
    while (const size_t count = std::fread(buffer, 1, sizeof buffer, pipe))
      out.append(buffer, count);
    if (pclose(pipe) != 0) out.clear();
  }
  std::filesystem::remove(file);
  return out;
}

}  // namespace

std::vector<Layout> lay_out(const Trace& trace, const Outline& outline) {
  // "graph scale width height", "node name x y …" in inches from the lower left corner, "stop"
  std::istringstream lines(run_dot(graphs_of(trace, outline)));
  std::vector<std::map<std::string, std::pair<double, double>>> places;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, name;
    double x = 0, y = 0;
    words >> kind;
    if (kind == "graph") places.emplace_back();
    if (kind != "node" || places.empty()) continue;
    words >> name >> x >> y;
    places.back()[name] = {72 * x, -72 * y};
  }
  if (places.size() != outline.groups.size()) return {};
  std::vector<Layout> layouts;
  for (size_t g = 0; g < places.size(); ++g) {
    layouts.emplace_back();
    for (const Part& part : outline.groups[g].parts)
      layouts.back().push_back(places[g][name_of(part)]);
  }
  return layouts;
}

}  // namespace gradus::step
