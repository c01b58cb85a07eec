#include "core/tensor/error.h"
#include "examples/step/language.h"
#include "examples/step/lessons.h"
#include "examples/translate/corpus.h"
#include "examples/translate/trained.h"
#include "layers/recurrent/lstm.h"

namespace gradus::step {

using namespace translate;

namespace {

Vocabulary vocabulary(const std::vector<Pair>& pairs, std::string Pair::*side, Unit unit) {
  Sentences sentences;
  for (const Pair& pair : pairs) sentences.push_back(tokens(pair.*side, unit));
  return Vocabulary(sentences, unit, 1);
}

}  // namespace

Trained small_translator(const Corpus& corpus) {
  Vocabulary source = vocabulary(corpus.train, &Pair::source, Unit::words);
  Vocabulary target = vocabulary(corpus.train, &Pair::target, Unit::characters);
  Generator generator(1);
  Translator model(
      source.size(), target.size(),
      {.embedding = 32, .hidden = 64, .bidirectional = true, .attention = AttentionKind::dot},
      generator);
  return {std::move(source), std::move(target), std::move(model)};
}

Trace translation(Trained& trained, const std::string& sentence) {
  if (!valid_utf8(sentence)) throw Error(said("the sentence is not valid UTF-8"));
  if (blank(sentence)) throw Error(said("the sentence is empty"));
  const std::vector<int64_t> source = trained.source.encode_text(sentence);
  const std::vector<int64_t> target = translate_texts(trained, {sentence})[0][0].ids;
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
