#include "core/files/replaceable.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "core/files/safetensors.h"
#include "core/tensor/error.h"

namespace gradus {

namespace fs = std::filesystem;

void check_replaceable(const std::string& path, const std::function<bool(const std::string&)>& ours,
                       std::string_view what) {
  std::error_code error;
  if (!fs::exists(path, error)) return;
  if (!fs::is_regular_file(path, error))
    throw Error(fmt::format("{}: is not a file; expected a place for {}", path, what));
  if (fs::file_size(path, error) > 0 && !ours(path))
    throw Error(fmt::format(
        "{}: holds something else than {} and stays as it is; move it away, or choose another "
        "place",
        path, what));
}

bool begins_with(const std::string& path, std::string_view beginning) {
  std::string read(beginning.size(), '\0');
  std::ifstream(path, std::ios::binary).read(read.data(), std::ssize(read));
  return read == beginning;
}

bool has_format(const std::string& path, std::string_view format) {
  try {
    const auto metadata = load_metadata(path);
    const auto found = metadata.find("format");
    return found != metadata.end() && found->second == format;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace gradus
