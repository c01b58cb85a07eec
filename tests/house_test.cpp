#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

/// The rules of the house, read from the sources' #include lines.

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

struct Source {
  std::vector<std::string> includes;  // "core/tensor/tensor.h", or "<vector>"
  int lines = 0;
};

/// The headers and sources of the folders, by their path in the project.
const std::map<std::string, Source>& sources() {
  static const std::map<std::string, Source> all = [] {
    std::map<std::string, Source> found;
    const fs::path root = fs::path(GRADUS_TEST_DATA).parent_path();
    for (const char* folder : {"core", "layers", "optim", "examples"})
      for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
        if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
        Source& source = found[fs::relative(entry.path(), root).generic_string()];
        std::ifstream file(entry.path());
        for (std::string line; std::getline(file, line); ++source.lines)
          if (line.starts_with("#include \""))
            source.includes.push_back(line.substr(10, line.find('"', 10) - 10));
          else if (line.starts_with("#include <"))
            source.includes.push_back(line.substr(9, line.find('>') - 8));
      }
    return found;
  }();
  return all;
}

/// "kernels" for core/kernels/…, "layers" for layers/….
std::string part_of(const std::string& path) {
  const size_t first = path.find('/');
  return path.starts_with("core/") ? path.substr(first + 1, path.find('/', first + 1) - first - 1)
                                   : path.substr(0, first);
}

bool is_simd(const std::string& path) { return path.find(".simd.") != std::string::npos; }

/// What CMake does not install.
bool is_private(const std::string& path) {
  return path.ends_with(".cpp") || part_of(path) == "kernels" || is_simd(path) ||
         path == "core/autograd/node.h" || path == "layers/recurrent/recurrence.h" ||
         path == "layers/recurrent/sequence.h" || path == "core/functions/rows.h" ||
         path == "examples/step/lessons.h" ||
         (path.starts_with("examples/") && !path.starts_with("examples/terminal/") &&
          !path.starts_with("examples/training/") && !path.starts_with("examples/step/"));
}

Names who_include(const std::string& header) {
  Names users;
  for (const auto& [path, source] : sources())
    if (std::count(source.includes.begin(), source.includes.end(), header)) users.insert(path);
  return users;
}

/// The includes of a file, and theirs, and so on.
void collect(const std::string& path, Names& all) {
  const auto source = sources().find(path);
  if (source == sources().end()) return;
  for (const std::string& include : source->second.includes)
    if (all.insert(include).second) collect(include, all);
}

}  // namespace

TEST_CASE("includes run one way through the parts of the project") {
  const Names tensor{"kernels", "tensor"}, autograd{"kernels", "tensor", "autograd"},
      ops{"kernels", "tensor", "autograd", "ops"},
      functions{"kernels", "tensor", "autograd", "ops", "functions"},
      core{"kernels", "tensor", "autograd", "ops", "functions", "files", "trace", "core.h"};
  auto and_itself = [](Names parts, const std::string& part) {
    parts.insert(part);
    return parts;
  };
  const std::map<std::string, Names> allowed{{"kernels", {"kernels"}},
                                             {"tensor", tensor},
                                             {"files", and_itself(tensor, "files")},
                                             {"autograd", autograd},
                                             {"ops", ops},
                                             {"functions", functions},
                                             {"core.h", functions},
                                             {"trace", core},
                                             {"layers", and_itself(core, "layers")},
                                             {"optim", and_itself(core, "optim")},
                                             {"examples",
                                              {"tensor", "autograd", "ops", "functions", "files",
                                               "trace", "layers", "optim", "examples"}}};
  REQUIRE(sources().size() > 100);
  Names back;
  const std::string in_their_place = "examples/live/browser/browser.cpp";  // of two kernels
  for (const auto& [path, source] : sources())
    for (const std::string& include : source.includes)
      if (path != in_their_place && !include.starts_with("<") && sources().contains(include) &&
          !allowed.at(part_of(path)).contains(part_of(include)))
        back.insert(path + ": " + include);
  const Names still{};
  CHECK(back == still);
}

TEST_CASE("applications share examples/training, which shares examples/terminal") {
  const auto folder_of = [](const std::string& path) {
    const size_t first = path.find('/') + 1;
    return path.substr(first, path.find('/', first) - first);
  };
  std::map<std::string, Names> allowed{{"terminal", {}}, {"training", {"terminal"}}};
  allowed["step"] = {"terminal", "translate", "answer"};  // what its last lessons step through
  allowed["live"] = {"step", "terminal", "translate", "training"};  // what its page shows
  const Names shared{"terminal", "training"};
  Names wrong;
  for (const auto& [path, source] : sources()) {
    if (!path.starts_with("examples/")) continue;
    const std::string folder = folder_of(path);
    const Names& others = allowed.try_emplace(folder, shared).first->second;
    for (const std::string& include : source.includes)
      if (include.starts_with("examples/") && folder_of(include) != folder &&
          !others.contains(folder_of(include)))
        wrong.insert(path + ": " + include);
  }
  CHECK(wrong == Names{});
  Names framework;
  for (const auto& [path, source] : sources())
    for (const std::string& include : source.includes)
      if (path.starts_with("examples/terminal/") && sources().contains(include) &&
          !include.starts_with("examples/"))
        framework.insert(path + ": " + include);
  CHECK(framework == Names{});
}

TEST_CASE("headers that are installed include no kernels") {
  Names wrong;
  for (const auto& [path, source] : sources())
    for (const std::string& include : source.includes)
      if (!is_private(path) && sources().contains(include) && is_private(include))
        wrong.insert(path + ": " + include);
  CHECK(wrong == Names{});
}

TEST_CASE("vector code sees no tensor and none of the standard library's templates") {
  const Names allowed{"<cstdint>", "<stdint.h>", "<xsimd/xsimd.hpp>"};
  int files = 0;
  for (const auto& source : sources()) {
    const std::string& path = source.first;
    if (!path.ends_with(".simd.cpp")) continue;
    ++files;
    Names all;
    collect(path, all);
    for (const std::string& include : all)
      CHECK_MESSAGE((allowed.contains(include) || part_of(include) == "kernels" ||
                     include == path.substr(0, path.size() - 3) + "h"),
                    path, ": ", include);
  }
  CHECK(files == 6);
}

TEST_CASE("one file includes BLAS, and one the SIMD library, for vector code alone") {
  CHECK(who_include("<cblas.h>") == Names{"core/kernels/blas.cpp"});
  CHECK(who_include("<xsimd/xsimd.hpp>") == Names{"core/kernels/batch.h"});
  for (const std::string& user : who_include("core/kernels/batch.h"))
    CHECK_MESSAGE(user.ends_with(".simd.cpp"), user);
}

TEST_CASE("no header that includes all others is included inside the library") {
  Names users = who_include("core/core.h");
  for (const std::string& user : who_include("layers/layers.h"))
    if (!user.starts_with("examples/")) users.insert(user);
  const Names still{"layers/layers.h"};
  CHECK(users == still);
}

TEST_CASE("what a learner reads of the core has under 5,000 lines") {
  int lines = 0;
  for (const auto& [path, source] : sources())
    for (const char* part : {"core/tensor/", "core/autograd/", "core/ops/"})
      if (path.starts_with(part)) lines += source.lines;
  CHECK(lines > 2000);
  CHECK(lines < 5000);
}
