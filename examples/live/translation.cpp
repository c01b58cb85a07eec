#include "examples/live/translation.h"

#include <filesystem>
#include <fstream>

#include "core/tensor/error.h"
#include "examples/step/lessons.h"
#include "examples/terminal/language.h"
#include "examples/translate/corpus.h"
#include "layers/parameters.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

namespace gradus::live {

using terminal::said;

using namespace translate;

namespace {

constexpr int64_t batch_size = 8, epochs = 2;
constexpr double rate = 0.01;

std::string from_base64(const std::string& text) {
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    static const std::string digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (c == '=') break;
    const size_t digit = digits.find(c);
    if (digit == digits.npos) throw Error(said("model: expected base64"));
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if ((count += 6) >= 8) bytes += static_cast<char>(bits >> (count -= 8) & 255);
  }
  return bytes;
}

}  // namespace

struct LiveTranslator::Training {
  Corpus corpus = embedded_corpus();
  Trained trained = step::small_translator(corpus);
  std::vector<Batch> batches =
      make_batches(encode(corpus.train, trained.source, trained.target), batch_size);
  std::vector<Tensor> parameters = gradus::parameters(trained.model);
  Adam optimizer{parameters, {.learning_rate = rate}};
  Generator generator{1};
  std::vector<int64_t> order;
  Progress progress{0, epochs* std::ssize(batches), 0};
  Schedule schedule = cosine(rate, progress.of);
};

LiveTranslator::LiveTranslator() = default;
LiveTranslator::~LiveTranslator() = default;

void LiveTranslator::load(const std::string& base64) {
  const std::string path =
      (std::filesystem::temp_directory_path() / "gradus-live.safetensors").string();
  std::ofstream(path, std::ios::binary) << from_base64(base64);
  loaded_ = std::make_unique<Trained>(translate::load(path));
  std::filesystem::remove(path);
  training_.reset();
}

void LiveTranslator::begin() { training_ = std::make_unique<Training>(); }

bool LiveTranslator::step() {
  if (!training_) begin();
  Training& t = *training_;
  Progress& p = t.progress;
  if (p.step == p.of) return false;
  const auto place = static_cast<size_t>(p.step % std::ssize(t.batches));
  if (place == 0) t.order = t.generator.permutation(std::ssize(t.batches));
  const Batch& batch = t.batches[static_cast<size_t>(t.order[place])];
  t.optimizer.zero_grad();
  const Tensor loss = t.trained.model.loss(batch, &t.generator) / batch.target_tokens;
  loss.backward();
  clip_gradients(t.parameters, 5);
  t.optimizer.learning_rate = t.schedule(++p.step);
  t.optimizer.step();
  p.loss = p.step == 1 ? loss.item() : 0.95 * p.loss + 0.05 * loss.item();
  return p.step < p.of;
}

const LiveTranslator::Progress& LiveTranslator::progress() const {
  static const Progress none;
  return training_ ? training_->progress : none;
}

Trained& LiveTranslator::trained() {
  if (training_ && training_->progress.step > 0) return training_->trained;
  if (!loaded_) throw Error(said("there is no translator yet: train one first"));
  return *loaded_;
}

Translation LiveTranslator::translate(const std::string& text) {
  if (!valid_utf8(text)) throw Error(said("the sentence is not valid UTF-8"));
  if (blank(text)) throw Error(said("the sentence is empty"));
  Trained& model = trained();
  const Hypothesis best = translate_texts(model, {text}, {.longest = 40, .attention = true})[0][0];
  Translation result;
  result.text = written_text(model, text, best);
  result.words = model.source.tokens(text);
  for (const int64_t id : model.source.encode_text(text)) result.known.push_back(id != unk_id);
  for (const int64_t id : best.ids) result.tokens.push_back(model.target.token(id));
  result.tokens.push_back(model.target.token(eos_id));
  result.attention = best.attention;
  return result;
}

}  // namespace gradus::live
