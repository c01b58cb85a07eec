#include <fmt/format.h>

#include <filesystem>

#include "examples/step/lessons.h"
#include "examples/terminal/output.h"
#include "examples/terminal/progress.h"
#include "examples/translate/corpus.h"
#include "examples/translate/train.h"

namespace gradus::step {

using namespace translate;

namespace {

constexpr const char* model_path = "runs/lesson5.safetensors";

/// Trained on the embedded corpus for two epochs and kept for the next time.
Trained trained_small_translator() {
  if (std::filesystem::exists(model_path)) return load(model_path);
  const Corpus corpus = embedded_corpus();
  Trained trained = small_translator(corpus);

  terminal::message(said("training a small translator, which is kept in {}", model_path));
  std::filesystem::create_directories("runs");
  const std::string unfinished = std::string(model_path) + ".unfinished";
  terminal::Progress progress(stderr);
  train(trained, corpus.train, {corpus.valid.begin(), corpus.valid.begin() + 50},
        {.epochs = 2,
         .batch_size = 8,
         .learning_rate = 0.01,
         .decay = true,
         .model_path = unfinished},
        progress, [] { return false; });
  std::filesystem::rename(unfinished, model_path);
  std::filesystem::remove(unfinished + ".checkpoint");
  return trained;
}

}  // namespace

Trace translator(const LessonOptions& options) {
  Trained trained = options.model.empty() ? trained_small_translator() : load(options.model);
  return translation(trained, options.sentence);
}

}  // namespace gradus::step
