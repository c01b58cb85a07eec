#pragma once

#include <string>

#include "examples/training/model_file.h"
#include "examples/translate/decode.h"
#include "examples/translate/metrics.h"

namespace gradus::translate {

/// A model with its vocabularies: the contents of a model file.
struct Trained {
  Vocabulary source, target;
  Translator model;
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

/// The best translations of each text, best first: `options.beam` of them.
/// Throws std::invalid_argument for invalid UTF-8, Error as decode() does.
std::vector<std::vector<Hypothesis>> translate_texts(const Trained& trained,
                                                     const std::vector<std::string>& texts,
                                                     const DecodeOptions& options = {});

struct Evaluation {
  double loss = 0;  ///< −log p per target token, <eos> included, in nats
  Quality quality{};
};
/// Teacher-forced loss and the quality of the translations.
Evaluation evaluate(const Trained& trained, const std::vector<Pair>& pairs,
                    const DecodeOptions& options = {});

}  // namespace gradus::translate
