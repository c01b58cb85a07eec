#pragma once

#include <string>

namespace gradus::training {

/// While it lives, no other program trains into the same model: an advisory lock (flock) on the
/// file "….lock" beside it, in which the number of the process stands. When a program is killed,
/// the system takes its lock away. Where the file system has no locks it does nothing.
class FileLock {
 public:
  /// Throws Error when somebody else holds the lock, and when its file cannot be made.
  explicit FileLock(const std::string& model_path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::string path_;
  int file_ = -1;
};

}  // namespace gradus::training
