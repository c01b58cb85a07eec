#include "core/files/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "core/tensor/error.h"

namespace gradus {

namespace {

namespace fs = std::filesystem;

/// Throws Error with the reason in errno.
[[noreturn]] void fail(const std::string& step) {
  throw Error(fmt::format("{}: {}", step, std::generic_category().message(errno)));
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(number_, text.data(), text.size());
      if (written >= 0) {
        text.remove_prefix(static_cast<size_t>(written));
      } else if (errno == EAGAIN) {  // a pipe that does not wait for its reader
        pollfd until_ready{number_, POLLOUT, 0};
        ::poll(&until_ready, 1, -1);
      } else if (errno != EINTR) {
        fail("writing");
      }
    }
  }
  void close() {
    if (::close(std::exchange(number_, -1)) != 0) fail("closing");
  }

 private:
  int number_;
};

/// A new file beside `target` that disappears unless it is renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& target) : file_(create(target, path_)) {}
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  Descriptor& file() { return file_; }
  void rename(const std::string& target) {
    if (::rename(path_.c_str(), target.c_str()) != 0) fail("renaming " + path_);
    path_.clear();
  }

 private:
  static int create(const std::string& target, std::string& path) {
    for (int attempt = 0;; ++attempt) {
      path = fmt::format("{}.tmp{}", target, attempt);
      const int number = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (number >= 0) return number;
      if (errno != EEXIST) fail("creating " + path);
    }
  }

  std::string path_;
  Descriptor file_;
};

/// Where a path leads by links: a file or the place for one, or what a process has open.
struct Target {
  fs::path path;
  bool is_open = false;         // /proc/PROCESS/fd/NUMBER: not followed further
  std::optional<int> own = {};  // the number, where the process is this one
};

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

/// The process whose open files are in the folder "/proc/PROCESS/fd" or
/// "/proc/PROCESS/task/THREAD/fd".
std::optional<int> process_of(std::string_view folder) {
  constexpr std::string_view before = "/proc/", after = "/fd";
  if (!folder.starts_with(before) || !folder.ends_with(after) || folder.size() < 10)
    return std::nullopt;
  folder.remove_suffix(after.size());
  folder.remove_prefix(before.size());
  return number_in(folder.substr(0, folder.find("/task/")));
}

Target follow_links(fs::path path) {
  for (int links = 0;; ++links) {
    // "/dev/fd" and "/proc/self/fd" are links themselves; a folder that is missing has none.
    std::error_code ignored;
    const fs::path parent =
        fs::canonical(path.has_parent_path() ? path.parent_path() : ".", ignored);
    const auto number = number_in(path.filename().string());
    if (const auto process = process_of(parent.string()); process && number)
      return {path, true, *process == ::getpid() ? number : std::nullopt};
    if (!fs::is_symlink(fs::symlink_status(path))) return {path};
    if (links == 40) {
      errno = ELOOP;
      fail("following links");
    }
    path = path.parent_path() / fs::read_symlink(path);
  }
}

/// Something that is not a file but can be written, or is open already.
Descriptor open_directly(const Target& target) {
  std::fflush(stdout);  // what was printed so far comes first
  const int number = target.own ? ::fcntl(*target.own, F_DUPFD_CLOEXEC, 0)
                                : ::open(target.path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (number < 0) fail("opening");
  return Descriptor(number);
}

/// Makes the renaming itself survive a power cut, where the file system can.
void sync_folder(const fs::path& file) {
  const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".";
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.number() >= 0 && ::fsync(opened.number()) != 0 && errno != EINVAL)
    fail("syncing the folder");
}

void replace(const std::string& target, const struct stat* earlier,
             std::span<const std::string_view> parts) {
  TemporaryFile temporary(target);
  if (earlier) {
    // Only root may give a file away; to others it stays theirs.
    const int number = temporary.file().number();
    if (::fchown(number, earlier->st_uid, earlier->st_gid) != 0) errno = 0;
    if (::fchmod(number, earlier->st_mode & 07777) != 0) fail("keeping the permissions");
  }
  for (std::string_view part : parts) temporary.file().write(part);
  if (::fsync(temporary.file().number()) != 0) fail("syncing");
  temporary.file().close();
  temporary.rename(target);
}

}  // namespace

bool is_written_directly(const std::string& path) {
  std::error_code error;
  return (fs::exists(path, error) && !fs::is_regular_file(path, error)) ||
         follow_links(path).is_open;
}

void write_file(const std::string& path, std::span<const std::string_view> parts) {
  const char* outcome = "";
  try {
    const Target target = follow_links(path);
    struct stat earlier {};
    const bool exists = ::stat(path.c_str(), &earlier) == 0;
    if (target.is_open || (exists && !S_ISREG(earlier.st_mode))) {
      Descriptor file = open_directly(target);
      for (std::string_view part : parts) file.write(part);
      file.close();
      return;
    }
    if (exists) outcome = "; the earlier file is unchanged";
    replace(target.path.string(), exists ? &earlier : nullptr, parts);
    outcome = "; the new file is in place, but a power cut may still lose it";
    sync_folder(target.path);
  } catch (const std::exception& error) {
    throw Error(fmt::format("cannot write {}: {}{}", path, error.what(), outcome));
  }
}

void write_file(const std::string& path, std::string_view text) { write_file(path, {&text, 1}); }

}  // namespace gradus
