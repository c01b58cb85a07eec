#include "examples/training/output_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/files/replaceable.h"
#include "core/tensor/error.h"
#include "examples/training/model_file.h"
#include "examples/training/world.h"

namespace gradus::training {

namespace {

namespace fs = std::filesystem;

bool is_picture(const std::string& path) {
  return begins_with(path, R"(<svg xmlns="http://www.w3.org/2000/svg" role="img" width=")");
}

}  // namespace

void prepare_to_write(const std::string& path) {
  if (!is_first_rank()) return;
  const fs::path folder = fs::absolute(path).parent_path();
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw Error(fmt::format("{}: cannot make its folder ({})", path, error.message()));
  if (fs::is_directory(path)) throw Error(fmt::format("{}: is a folder; expected a file", path));
  const bool is_device = fs::exists(path) && !fs::is_regular_file(path);
  if (access(is_device ? path.c_str() : folder.c_str(), W_OK) != 0)
    throw Error(fmt::format("{}: cannot be written ({}); choose another place", path,
                            std::strerror(errno)));
}

std::vector<std::string> prepare_to_train(
    const std::string& kind, const std::string& model_path, const std::string& report_path,
    const std::vector<std::pair<std::string, std::string>>& read,
    const std::vector<std::string>& pictures) {
  const std::string checkpoint = model_path + ".checkpoint";
  prepare_to_write(model_path);
  const auto ours = [&](const std::string& path) { return is_model(path, kind); };
  const auto check = [](const std::string& file, auto&& is_ours, const std::string& what) {
    if (is_first_rank()) check_replaceable(file, is_ours, what);
  };
  check(model_path, ours, "a model of this " + kind);
  check(checkpoint, ours, "a checkpoint of this " + kind);
  std::vector<std::string> paths;
  for (const std::string& name : pictures) {
    paths.push_back((fs::path(model_path).parent_path() / name).string());
    check(paths.back(), is_picture, "a picture of this program");
  }
  if (report_path.empty()) return paths;
  prepare_to_write(report_path);
  check_apart("--report", report_path, {{"--model", model_path}, {"the checkpoint", checkpoint}});
  check_apart("--report", report_path, read);
  return paths;
}

std::string path_beside(const std::string& path, const std::string& suffix) {
  const fs::path of = path;
  return (of.parent_path() / (of.stem().string() + suffix + of.extension().string())).string();
}

void check_apart(const std::string& option, const std::string& path,
                 const std::vector<std::pair<std::string, std::string>>& others) {
  std::error_code missing;
  for (const auto& [other, its] : others)
    if (!path.empty() && !its.empty() &&
        (path == its || (fs::is_regular_file(path, missing) && fs::equivalent(path, its, missing))))
      throw Error(fmt::format("{} {}: is the same file as {} {}; choose another place", option,
                              path, other, its));
}

}  // namespace gradus::training
