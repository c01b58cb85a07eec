// The kind: data is lost because what is not a file of its own is replaced as if it were one.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "core/files/atomic_file.h"
#include "tests/core/helpers.h"
#include "tests/files.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

namespace fs = std::filesystem;

/// A file that is open at one of this process's descriptors.
struct Opened {
  Opened(const std::string& path, int flags) : number(::open(path.c_str(), flags, 0600)) {}
  ~Opened() { ::close(number); }
  std::string at(const std::string& folder) const { return folder + std::to_string(number); }
  int number;
};

ino_t inode(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_ino;
}

}  // namespace

TEST_CASE("a log that is open keeps its lines when something is written to /dev/fd") {
  const Folder folder;
  const std::string log = folder / "log";
  for (const std::string& open_files :
       {std::string("/dev/fd/"), std::string("/proc/self/fd/"),
        "/proc/" + std::to_string(::getpid()) + "/fd/", std::string("/proc/thread-self/fd/")}) {
    CAPTURE(open_files);
    write(log, "earlier\n");
    const ino_t before = inode(log);
    const Opened appended(log, O_WRONLY | O_APPEND);
    write_file(appended.at(open_files), "report\n");
    write_file(appended.at(open_files), "another\n");
    CHECK(contents(log) == "earlier\nreport\nanother\n");
    CHECK(inode(log) == before);
  }
}

TEST_CASE("what is written to a descriptor stands where the descriptor stood, and moves it") {
  const Folder folder;
  const Opened file(folder / "out", O_WRONLY | O_CREAT | O_TRUNC);
  REQUIRE(::write(file.number, "one, ", 5) == 5);
  write_file(file.at("/dev/fd/"), "two, ");
  REQUIRE(::write(file.number, "three", 5) == 5);
  CHECK(contents(folder / "out") == "one, two, three");
}

TEST_CASE("a link to an open file is written through, not replaced") {
  const Folder folder;
  write(folder / "log", "earlier\n");
  const Opened appended(folder / "log", O_WRONLY | O_APPEND);
  fs::create_symlink(appended.at("/dev/fd/"), folder / "link");
  fs::create_directory_symlink("/proc/self/fd", folder / "open");
  write_file(folder / "link", "report\n");
  write_file(appended.at(folder / "open/"), "another\n");
  CHECK(contents(folder / "log") == "earlier\nreport\nanother\n");
  CHECK(fs::is_symlink(folder / "link"));
}

TEST_CASE("a file that is open for reading only is not written, and stays as it is") {
  const Folder folder;
  write(folder / "program", "bytes");
  const Opened file(folder / "program", O_RDONLY);
  CHECK(error_of([&] { write_file(file.at("/dev/fd/"), "x"); }) ==
        "cannot write " + file.at("/dev/fd/") + ": writing: Bad file descriptor");
  CHECK(contents(folder / "program") == "bytes");
  CHECK(error_of([&] { write_file("/dev/fd/987654", "x"); }) ==
        "cannot write /dev/fd/987654: opening: Bad file descriptor");
}

TEST_CASE("a pipe takes more than fits into it, also where its writer does not wait") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_NONBLOCK) == 0);
  const std::string text(1'000'000, 'x');
  std::thread writer(
      [&] { write_file("/dev/fd/" + std::to_string(ends[1]), text), ::close(ends[1]); });
  std::string got;
  for (char buffer[4096]; got.size() < text.size();) {
    const ssize_t count = ::read(ends[0], buffer, sizeof buffer);
    if (count > 0) got.append(buffer, static_cast<size_t>(count));
    if (count == 0) break;
  }
  writer.join();
  ::close(ends[0]);
  CHECK(got == text);
}

TEST_CASE("a file in shared memory is a file") {
  const std::string path = "/dev/shm/gradus-test-" + std::to_string(::getpid());
  if (!fs::is_directory("/dev/shm")) return;
  write_file(path, "one");
  const ino_t before = inode(path);
  write_file(path, "two");
  CHECK(contents(path) == "two");
  CHECK(inode(path) != before);  // replaced whole
  fs::remove(path);
}
