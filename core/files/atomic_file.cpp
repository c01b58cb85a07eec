#include "core/files/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
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

fs::path follow_links(fs::path path) {
  for (int links = 0; fs::is_symlink(fs::symlink_status(path)); ++links) {
    if (links == 40) {
      errno = ELOOP;
      fail("following links");
    }
    path = path.parent_path() / fs::read_symlink(path);
  }
  return path;
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
  if (earlier && ::fchmod(temporary.file().number(), earlier->st_mode & 07777) != 0)
    fail("keeping the permissions");
  for (std::string_view part : parts) temporary.file().write(part);
  if (::fsync(temporary.file().number()) != 0) fail("syncing");
  temporary.file().close();
  temporary.rename(target);
}

}  // namespace

void write_file(const std::string& path, std::span<const std::string_view> parts) {
  struct stat earlier {};
  const bool exists = ::stat(path.c_str(), &earlier) == 0;
  const char* outcome = "";
  try {
    if (exists && !S_ISREG(earlier.st_mode)) {
      Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
      if (file.number() < 0) fail("opening");
      for (std::string_view part : parts) file.write(part);
      file.close();
      return;
    }
    const fs::path target = follow_links(path);
    if (exists) outcome = "; the earlier file is unchanged";
    replace(target.string(), exists ? &earlier : nullptr, parts);
    outcome = "; the new file is in place, but a power cut may still lose it";
    sync_folder(target);
  } catch (const std::exception& error) {
    throw Error(fmt::format("cannot write {}: {}{}", path, error.what(), outcome));
  }
}

void write_file(const std::string& path, std::string_view text) { write_file(path, {&text, 1}); }

}  // namespace gradus
