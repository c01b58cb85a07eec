#include "examples/translate/trained.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/autograd.h"
#include "core/error.h"
#include "core/safetensors.h"

namespace gradus::translate {

std::map<std::string, std::string> describe(const Trained& trained) {
  const ModelOptions& o = trained.model.options;
  const auto score = std::ranges::find_if(scores, [&](auto& s) { return s.second == o.score; });
  const nlohmann::json options = {{"embedding", o.embedding}, {"hidden", o.hidden},
                                  {"layers", o.layers},       {"bidirectional", o.bidirectional},
                                  {"score", score->first},    {"input_feeding", o.input_feeding},
                                  {"dropout", o.dropout}};
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
    const nlohmann::json json = nlohmann::json::parse(field("options"));
    ModelOptions o;
    o.embedding = json.at("embedding");
    o.hidden = json.at("hidden");
    o.layers = json.at("layers");
    o.bidirectional = json.at("bidirectional");
    o.score = scores.at(json.at("score").get<std::string>());
    o.input_feeding = json.at("input_feeding");
    o.dropout = json.at("dropout");
    Vocabulary source = Vocabulary::from_json(field("source_vocabulary"));
    Vocabulary target = Vocabulary::from_json(field("target_vocabulary"));
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
  for (const std::string& text : texts) sentences.push_back(trained.source.encode_text(text));
  return decode(trained.model, sentences, options);
}

Evaluation evaluate(const Trained& trained, const std::vector<Pair>& pairs,
                    const DecodeOptions& options) {
  constexpr size_t batch_size = 100;
  const NoGrad pause;
  const std::vector<Example> examples = encode(pairs, trained.source, trained.target);
  std::vector<size_t> order(pairs.size());  // by length: little padding
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return examples[a].source.size() < examples[b].source.size();
  });
  Sentences hypotheses(pairs.size()), references;
  double loss = 0;
  int64_t tokens = 0;
  for (size_t begin = 0; begin < order.size(); begin += batch_size) {
    const size_t end = std::min(order.size(), begin + batch_size);
    std::vector<Example> part;
    std::vector<std::vector<int64_t>> sources;
    for (size_t i = begin; i < end; ++i) {
      part.push_back(examples[order[i]]);
      sources.push_back(part.back().source);
    }
    const Batch batch = make_batch(part);
    loss += trained.model.loss(batch).item();
    tokens += batch.target_tokens;
    const auto decoded = decode(trained.model, sources, options);
    for (size_t i = begin; i < end; ++i)
      hypotheses[order[i]] = trained.target.decode(decoded[i - begin][0].ids);
  }
  for (const Pair& pair : pairs)
    references.push_back(gradus::translate::tokens(pair.target, trained.target.unit()));
  return {loss / static_cast<double>(tokens), evaluate(hypotheses, references)};
}

}  // namespace gradus::translate
