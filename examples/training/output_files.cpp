#include "examples/training/output_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/tensor/error.h"
#include "examples/training/model_file.h"

namespace gradus::training {

namespace {

namespace fs = std::filesystem;

/// Nothing is written over a file that was not made for it: only over an empty one and over those
/// that are `ours`.
void check_replaceable(const std::string& path, bool ours(const std::string&, const std::string&),
                       const std::string& kind, const std::string& what) {
  if (!fs::exists(path)) return;
  if (!fs::is_regular_file(path))
    throw Error(fmt::format("{}: is not a file; expected a place for {}", path, what));
  if (fs::file_size(path) > 0 && !ours(path, kind))
    throw Error(fmt::format(
        "{}: holds something else than {} and stays as it is; move it away, or choose another "
        "place",
        path, what));
}

bool is_picture(const std::string& path, const std::string& /*kind*/) {
  constexpr std::string_view ours = R"(<svg xmlns="http://www.w3.org/2000/svg" role="img" width=")";
  std::string beginning(ours.size(), '\0');
  std::ifstream(path, std::ios::binary).read(beginning.data(), std::ssize(beginning));
  return beginning == ours;
}

}  // namespace

void prepare_to_write(const std::string& path) {
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
  check_replaceable(model_path, is_model, kind, "a model of this " + kind);
  check_replaceable(checkpoint, is_model, kind, "a checkpoint of this " + kind);
  std::vector<std::string> paths;
  for (const std::string& name : pictures) {
    paths.push_back((fs::path(model_path).parent_path() / name).string());
    check_replaceable(paths.back(), is_picture, "", "a picture of this program");
  }
  if (report_path.empty()) return paths;
  prepare_to_write(report_path);
  check_apart("--report", report_path, {{"--model", model_path}, {"the checkpoint", checkpoint}});
  check_apart("--report", report_path, read);
  return paths;
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

std::string beside(const std::string& model_path, const std::string& name) {
  return (fs::path(model_path).parent_path() / name).string();
}

}  // namespace gradus::training
