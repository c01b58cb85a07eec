#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "core/files/safetensors.h"
#include "core/tensor/error.h"
#include "examples/translate/trained.h"

using namespace gradus;
using namespace gradus::translate;

namespace {

const TensorFile& small_model() {
  static const TensorFile file = [] {
    Vocabulary source({{"tea", "milk"}}, Unit::words, 1),
        target({{"茶", "奶"}}, Unit::characters, 1);
    Generator generator(1);
    Translator model(source.size(), target.size(), {.embedding = 2, .hidden = 2}, generator);
    Trained trained{source, target, model};
    return TensorFile{named_tensors(trained.model), describe(trained)};
  }();
  return file;
}

/// A file in memory that can be opened by its name.
class MemoryFile {
 public:
  MemoryFile() : file_(memfd_create("model", 0)) {}
  ~MemoryFile() { ::close(file_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }
  void write(const void* bytes, size_t size) const {
    if (::ftruncate(file_, 0) != 0 || ::pwrite(file_, bytes, size, 0) != ssize_t(size))
      std::abort();
  }
  /// save_tensors() writes where the descriptor stands.
  void rewind() const {
    if (::ftruncate(file_, 0) != 0 || ::lseek(file_, 0, SEEK_SET) != 0) std::abort();
  }

 private:
  int file_;
};

}  // namespace

/// A model whose metadata are the lines of a text (options, source and target vocabulary; one that
/// is missing is that of a small model), or a file of any other bytes, is loaded and translates, or
/// is refused with an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const MemoryFile file;
  std::string bytes(data, data + size);
  if (bytes.starts_with('{')) {
    TensorFile model = small_model();
    for (const char* name : {"options", "source_vocabulary", "target_vocabulary"}) {
      const size_t end = std::min(bytes.find('\n'), bytes.size());
      if (end > 0) model.metadata[name] = bytes.substr(0, end);
      bytes.erase(0, end + 1);
    }
    file.rewind();
    try {
      save_tensors(file.path(), model);
    } catch (const Error&) {  // metadata are UTF-8
      return 0;
    }
  } else {
    file.write(data, size);
  }
  try {
    translate_texts(load(file.path()), {"tea milk", ""}, {.beam = 2, .longest = 4});
  } catch (const Error&) {
  }
  return 0;
}
