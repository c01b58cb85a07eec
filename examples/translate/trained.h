#pragma once

#include <string>

#include "examples/training/model_file.h"
#include "examples/translate/decode.h"
#include "examples/translate/metrics.h"
#include "examples/translate/tokenisation.h"

namespace gradus::translate {

/// A model with its vocabularies: the contents of a model file.
struct Trained {
  Vocabulary source, target;
  Translator model;
  std::vector<Translator> others = {};  ///< which translate with it, as an ensemble
};

/// What errors call a model file: "a model of this translator".
inline constexpr const char* kind = "translator";

/// The metadata of a model file: the model's options and both vocabularies as JSON.
Description describe(const Trained& trained);

/// Writes a safetensors file; for errors see core/files/safetensors.h.
void save(const std::string& path, Trained& trained);
/// Throws Error with the path and the fault when the file cannot be read or does not hold what
/// save() writes. Sizes are checked against the file's tensors before a model is made: time and
/// memory are in proportion to the file.
Trained load(const std::string& path);
/// An ensemble of the models of several files. Throws Error also for other vocabularies than those
/// of the first.
Trained load(const std::vector<std::string>& paths);
/// The mean of each weight over the models of several files. Throws Error for files of other
/// options or vocabularies than those of the first.
Trained average(const std::vector<std::string>& paths);

/// The best translations of each text, best first: `options.beam` of them.
/// Throws std::invalid_argument for invalid UTF-8, Error as decode() does.
std::vector<std::vector<Hypothesis>> translate_texts(const Trained& trained,
                                                     const std::vector<std::string>& texts,
                                                     const DecodeOptions& options = {});

/// What is written for a hypothesis, without white space around it. An <unk> is the source token
/// that was attended to most there, where the hypothesis knows its attention; of subwords the whole
/// word, where the target has none.
std::vector<std::string> written_tokens(const Trained& trained, const std::string& source,
                                        const Hypothesis& hypothesis);
std::string written_text(const Trained& trained, const std::string& source,
                         const Hypothesis& hypothesis);

/// By which BLEU is measured where nothing else is asked for: the model's own words or characters;
/// of subwords characters where these are of Chinese or Japanese, else 13a.
Tokenisation usual_tokenisation(const Trained& trained);

struct Evaluation {
  double loss = 0;  ///< −log p per target token, <eos> included, in nats
  Quality quality{};
};
/// Teacher-forced loss and the quality of the translations. BLEU and chrF by the model's own tokens
/// compare texts in their normal form. By sacrebleu's they compare what is written with the
/// references as they stand in the file, both in lower case where the model writes nothing else.
Evaluation evaluate(const Trained& trained, const std::vector<Pair>& pairs,
                    const DecodeOptions& options = {},
                    std::optional<Tokenisation> tokenisation = {});

}  // namespace gradus::translate
