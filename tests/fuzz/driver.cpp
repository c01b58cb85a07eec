// Runs a fuzz target where libFuzzer is not at hand: first each input of the corpus, then inputs
// that are made of them by a generator with a fixed seed.
//
//     fuzz_trace [-runs=N] [-seconds=N] [-seed=N] FOLDER…
//
// An input that ends the program, or takes more than 20 seconds, is left in ./crash-TARGET.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::string current, crash_path;

void on_signal(int signal) {
  const int file = ::open(crash_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
  [[maybe_unused]] const ssize_t written = ::write(file, current.data(), current.size());
  const std::string_view told = signal == SIGALRM ? "takes too long: see " : "crashes: see ";
  for (const std::string_view text : {told, std::string_view(crash_path), std::string_view("\n")})
    [[maybe_unused]] const ssize_t said = ::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(1);
}

void run(const std::string& input) {
  current = input;
  ::alarm(20);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(current.data()), current.size());
  ::alarm(0);
}

class Mutator {
 public:
  Mutator(std::vector<std::string> corpus, uint64_t seed)
      : corpus_(std::move(corpus)), generator_(seed) {}

  std::string next() {
    std::string text = any(corpus_);
    for (size_t count = 1 + below(8); count > 0; --count) change(text);
    if (text.size() > 65'536) text.resize(65'536);
    return text;
  }

 private:
  size_t below(size_t bound) { return bound == 0 ? 0 : generator_() % bound; }
  const std::string& any(const std::vector<std::string>& list) { return list[below(list.size())]; }

  void change(std::string& text) {
    static const std::vector<std::string> pieces{"0",
                                                 "-1",
                                                 "9223372036854775807",
                                                 "1e999",
                                                 "null",
                                                 "[",
                                                 "]",
                                                 "{\"a\":",
                                                 "\n",
                                                 "\t",
                                                 "\r",
                                                 "\x1b[",
                                                 "\xff",
                                                 "\u200d",
                                                 "\ufeff",
                                                 std::string(8, '\0'),
                                                 std::string(200, '['),
                                                 "18446744073709551616"};
    const size_t at = below(text.size() + 1),
                 length = below(std::min<size_t>(text.size() - at, 64) + 1);
    switch (below(7)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ 1 << below(8));
        break;
      case 1:
        if (at < text.size()) text[at] = static_cast<char>(below(256));
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(at, text.substr(at, length));
        break;
      case 4:
        text.insert(at, any(pieces));
        break;
      case 5:
        text.replace(at, length, any(pieces));
        break;
      case 6: {
        const std::string& other = any(corpus_);
        const size_t from = below(other.size() + 1);
        text.replace(at, length, other.substr(from, below(128)));
        break;
      }
    }
  }

  std::vector<std::string> corpus_;
  std::mt19937_64 generator_;
};

}  // namespace

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  const std::string name = fs::path(argv[0]).filename().string();
  crash_path = fs::absolute("crash-" + name).string();
  uint64_t runs = UINT64_MAX, seconds = 1'000'000, seed = 1;
  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with("-runs="))
      runs = std::stoull(argument.substr(6));
    else if (argument.starts_with("-seconds="))
      seconds = std::stoull(argument.substr(9));
    else if (argument.starts_with("-seed="))
      seed = std::stoull(argument.substr(6));
    else if (fs::is_directory(argument))
      std::copy(fs::directory_iterator(argument), {}, std::back_inserter(files));
    else
      files.emplace_back(argument);
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus;
  for (const fs::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      fmt::print(stderr, "{}: {}: cannot be read\n", name, path.string());
      return 2;
    }
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (corpus.empty()) {
    fmt::print(stderr, "{}: expected a folder with inputs\n", name);
    return 2;
  }
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM})
    std::signal(signal, on_signal);

  for (const std::string& input : corpus) run(input);
  Mutator mutator(corpus, seed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  uint64_t done = 0;
  for (; done < runs && std::chrono::steady_clock::now() < end; ++done) run(mutator.next());
  fmt::print("{}: {} inputs of the corpus and {} made of them, seed {}\n", name, corpus.size(),
             done, seed);
}
