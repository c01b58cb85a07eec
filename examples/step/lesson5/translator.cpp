#include <fmt/format.h>

#include <filesystem>

#include "core/tensor/error.h"
#include "examples/step/lessons.h"
#include "examples/terminal/output.h"
#include "examples/terminal/progress.h"
#include "examples/translate/corpus.h"
#include "examples/translate/train.h"
#include "layers/recurrent/lstm.h"

namespace gradus::step {

using namespace translate;

namespace {

constexpr const char* model_path = "runs/lesson5.safetensors";

Vocabulary vocabulary(const std::vector<Pair>& pairs, std::string Pair::*side, Unit unit) {
  Sentences sentences;
  for (const Pair& pair : pairs) sentences.push_back(tokens(pair.*side, unit));
  return Vocabulary(sentences, unit, 1);
}

/// A small translator, trained on the embedded corpus for two epochs and kept for the next time.
Trained small_translator() {
  if (std::filesystem::exists(model_path)) return load(model_path);
  const Corpus corpus = embedded_corpus();
  Vocabulary source = vocabulary(corpus.train, &Pair::source, Unit::words);
  Vocabulary target = vocabulary(corpus.train, &Pair::target, Unit::characters);
  Generator generator(1);
  Translator model(
      source.size(), target.size(),
      {.embedding = 32, .hidden = 64, .bidirectional = true, .attention = AttentionKind::dot},
      generator);
  Trained trained{std::move(source), std::move(target), std::move(model)};

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
  if (!valid_utf8(options.sentence)) throw Error(said("the sentence is not valid UTF-8"));
  if (blank(options.sentence)) throw Error(said("the sentence is empty"));
  Trained trained = options.model.empty() ? small_translator() : load(options.model);

  const std::vector<int64_t> source = trained.source.encode_text(options.sentence);
  const std::vector<int64_t> target = translate_texts(trained, {options.sentence})[0][0].ids;
  const Batch batch = make_batch({{source, target}});

  Trace trace;
  {
    const StepByStep one_by_one;
    const auto recording = trace.record(layer_names(trained.model));
    const Tensor loss = trained.model.loss(batch);  // −log p of its own translation
    loss.backward();
  }
  for (int64_t id : source) trace.keys.push_back(trained.source.token(id));
  for (int64_t id : target) trace.queries.push_back(trained.target.token(id));
  trace.queries.push_back(trained.target.token(eos_id));
  return trace;
}

}  // namespace gradus::step
