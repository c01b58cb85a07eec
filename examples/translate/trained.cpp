#include "examples/translate/trained.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/autograd/autograd.h"
#include "core/files/safetensors.h"
#include "core/ops/packed_weight.h"
#include "core/tensor/error.h"

namespace gradus::translate {

namespace {

/// Of sentences to translate: so many that the matrices are large, so few that they fit in memory.
constexpr BatchOptions batch_options{.batch_size = 100, .max_elements = 20'000};

template <class T>
T value_among(const std::map<std::string, T>& names, const char* what, const std::string& name) {
  if (const auto found = names.find(name); found != names.end()) return found->second;
  throw Error(fmt::format("unknown {} '{}'", what, name));
}

}  // namespace

std::map<std::string, std::string> describe(const Trained& trained) {
  const ModelOptions& o = trained.model.options;
  const nlohmann::json options = {{"architecture", name_among(architectures, o.architecture)},
                                  {"embedding", o.embedding},
                                  {"hidden", o.hidden},
                                  {"layers", o.layers},
                                  {"bidirectional", o.bidirectional},
                                  {"score", name_among(attentions, o.attention)},
                                  {"heads", o.heads},
                                  {"window", o.window},
                                  {"input_feeding", o.input_feeding},
                                  {"norm_first", o.norm_first},
                                  {"dropout", o.dropout},
                                  {"label_smoothing", o.label_smoothing}};
  return {{"format", "gradus translator 1"},
          {"options", options.dump()},
          {"source_vocabulary", trained.source.to_json()},
          {"target_vocabulary", trained.target.to_json()}};
}

void save(const std::string& path, Trained& trained) {
  save_tensors(path, {named_tensors(trained.model), describe(trained)});
}

Trained load(const std::string& path) {
  const TensorFile file = load_tensors(path);
  auto field = [&](const char* name) {
    const auto found = file.metadata.find(name);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  if (field("format") != "gradus translator 1")
    throw Error(
        fmt::format("{}: not a model of this translator (its metadata does not say "
                    "\"format\": \"gradus translator 1\")",
                    path));
  try {
    const nlohmann::json json = nlohmann::json::parse(field("options"), nullptr, false);
    if (json.is_discarded()) throw Error("its metadata has no \"options\" in JSON");
    ModelOptions o;
    o.embedding = json.at("embedding");
    o.hidden = json.at("hidden");
    o.layers = json.at("layers");
    o.bidirectional = json.at("bidirectional");
    o.attention = value_among(attentions, "attention", json.at("score"));
    o.input_feeding = json.at("input_feeding");
    o.dropout = json.at("dropout");
    // Files of earlier versions do not hold these.
    o.architecture = value_among(architectures, "architecture", json.value("architecture", "lstm"));
    o.heads = json.value("heads", o.heads);
    o.window = json.value("window", o.window);
    o.norm_first = json.value("norm_first", o.norm_first);
    o.label_smoothing = json.value("label_smoothing", o.label_smoothing);
    auto vocabulary = [&](const char* name) {
      try {
        return Vocabulary::from_json(field(name));
      } catch (const std::invalid_argument& error) {
        throw Error(fmt::format("its metadata's \"{}\": {}", name, error.what()));
      }
    };
    Vocabulary source = vocabulary("source_vocabulary");
    Vocabulary target = vocabulary("target_vocabulary");
    // Sizes are checked before the model is made: a damaged file must not fill the memory.
    auto check_size = [&](const char* option, int64_t size, const std::string& tensor, int axis) {
      const auto found = file.tensors.find(tensor);
      if (found == file.tensors.end() || found->second.rank() != 2)
        throw Error(fmt::format("expected a matrix {}, found none", tensor));
      if (found->second.size(axis) != size)
        throw Error(fmt::format("its options give {} {}, but its {} has shape {}", option, size,
                                tensor, found->second.shape().text()));
    };
    check_size("embedding", o.embedding, "source_embedding.weight", 1);
    const bool is_lstm = o.architecture == Architecture::lstm;
    check_size("hidden", o.hidden, is_lstm ? "combine.weight" : "output.weight", is_lstm ? 0 : 1);
    check_size("hidden", o.hidden,
               fmt::format("decoder.{}.{}", o.layers - 1,
                           is_lstm ? "weight_hh" : "feed_forward.inner.weight"),
               1);
    Generator unused(0);
    Translator model(source.size(), target.size(), o, unused);
    load_tensors_into(model, file.tensors);
    return {std::move(source), std::move(target), std::move(model)};
  } catch (const std::exception& error) {
    throw Error(fmt::format("{}: {}", path, error.what()));
  }
}

std::vector<std::vector<Hypothesis>> translate_texts(const Trained& trained,
                                                     const std::vector<std::string>& texts,
                                                     const DecodeOptions& options) {
  std::vector<std::vector<int64_t>> sentences;
  std::vector<int64_t> lengths;
  for (const std::string& text : texts) {
    sentences.push_back(trained.source.encode_text(text));
    lengths.push_back(std::ssize(sentences.back()));
  }
  std::vector<std::vector<Hypothesis>> translations(texts.size());
  for (const auto& indices : batches_by_length(lengths, batch_options)) {
    std::vector<std::vector<int64_t>> batch;
    for (const int64_t i : indices) batch.push_back(sentences[static_cast<size_t>(i)]);
    auto decoded = decode(trained.model, batch, options);
    for (size_t k = 0; k < indices.size(); ++k)
      translations[static_cast<size_t>(indices[k])] = std::move(decoded[k]);
  }
  return translations;
}

Evaluation evaluate(const Trained& trained, const std::vector<Pair>& pairs,
                    const DecodeOptions& options) {
  const NoGrad pause;
  const ConstantParameters constant;
  const std::vector<Example> examples = encode(pairs, trained.source, trained.target);
  std::vector<int64_t> lengths;
  for (const Example& example : examples)
    lengths.push_back(std::max(std::ssize(example.source), std::ssize(example.target)));
  double loss = 0;
  int64_t target_tokens = 0;
  for (const auto& indices : batches_by_length(lengths, batch_options)) {
    std::vector<Example> part;
    for (const int64_t i : indices) part.push_back(examples[static_cast<size_t>(i)]);
    const Batch batch = make_batch(part);
    loss += trained.model.loss(batch).item();
    target_tokens += batch.target_tokens;
  }

  std::vector<std::string> texts;
  for (const Pair& pair : pairs) texts.push_back(pair.source);
  Sentences hypotheses, references;
  for (const auto& translations : translate_texts(trained, texts, options))
    hypotheses.push_back(trained.target.decode(translations[0].ids));
  for (const Pair& pair : pairs) references.push_back(tokens(pair.target, trained.target.unit()));
  return {loss / static_cast<double>(target_tokens), evaluate(hypotheses, references)};
}

}  // namespace gradus::translate
