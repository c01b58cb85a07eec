#include "examples/training/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/tensor/error.h"

namespace gradus::training {

FileLock::FileLock(const std::string& model_path) : path_(model_path + ".lock") {
  while (true) {
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file_ < 0) throw Error(fmt::format("{}: cannot be made ({})", path_, std::strerror(errno)));
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      char process[24] = {};
      const bool is_known = ::read(file_, process, sizeof process - 1) > 0;
      ::close(file_);
      throw Error(
          fmt::format("{}: another program{}{}{} is training into it; wait until it has ended, or "
                      "choose another "
                      "--model",
                      model_path, is_known ? ", process " : "", process, is_known ? "," : ""));
    }
    // Whoever held it before may have removed this file meanwhile.
    struct stat ours {
    }, there{};
    if (::fstat(file_, &ours) == 0 && ::stat(path_.c_str(), &there) == 0 &&
        ours.st_ino == there.st_ino && ours.st_dev == there.st_dev)
      break;
    ::close(file_);
  }
  const std::string process = std::to_string(::getpid());
  if (::ftruncate(file_, 0) != 0 || ::write(file_, process.data(), process.size()) < 0)
    errno = 0;  // the lock holds without the number
}

FileLock::~FileLock() {
  ::unlink(path_.c_str());
  ::close(file_);
}

}  // namespace gradus::training
