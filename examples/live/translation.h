#pragma once

#include <memory>
#include <string>
#include <vector>

#include "examples/translate/trained.h"

namespace gradus::live {

struct Translation {
  std::string text;
  std::vector<std::string> words;              ///< of the source, as the model reads them
  std::vector<bool> known;                     ///< per word, whether the model knows it
  std::vector<std::string> tokens;             ///< of the translation, with `<eos>`
  std::vector<std::vector<double>> attention;  ///< per token, a weight per word
};

/// The small translator of lesson 5 on the page: one that was trained before, and one that is being
/// trained from the beginning on the embedded corpus.
class LiveTranslator {
 public:
  LiveTranslator();
  ~LiveTranslator();

  /// Reads a model file. Throws Error when it is not a translator's.
  void load(const std::string& base64);
  /// Begins a training of two epochs.
  void begin();
  /// One batch. False when the training is over.
  bool step();
  struct Progress {
    int64_t step = 0, of = 0;
    double loss = 0;  ///< per token, in nats: of the last batches
  };
  const Progress& progress() const;

  /// What is trained, or was loaded. Throws Error where neither is there.
  translate::Trained& trained();
  Translation translate(const std::string& text);

 private:
  struct Training;
  std::unique_ptr<Training> training_;
  std::unique_ptr<translate::Trained> loaded_;
};

}  // namespace gradus::live
