#include "examples/translate/trained.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/autograd/autograd.h"
#include "core/files/safetensors.h"
#include "core/tensor/error.h"
#include "examples/training/world.h"

namespace gradus::translate {

namespace {

/// Of sentences to translate: so many that the matrices are large, so few that they and their
/// hypotheses fit in memory.
BatchOptions batch_options(int64_t beam = 1) {
  return {.batch_size = std::clamp<int64_t>(1000 / std::max<int64_t>(beam, 1), 1, 100),
          .max_elements = 20'000};
}

}  // namespace

Description describe(const Trained& trained) {
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
  return description(kind, options,
                     {{"source_vocabulary", trained.source.to_json()},
                      {"target_vocabulary", trained.target.to_json()}});
}

void save(const std::string& path, Trained& trained) {
  save_tensors(path, {named_tensors(trained.model), describe(trained)});
}

namespace {

ModelOptions options_from(const Description& description) {
  ModelOptions o;
  const StoredOptions options(description, {{"architecture", "lstm"},
                                            {"heads", o.heads},
                                            {"window", o.window},
                                            {"norm_first", o.norm_first},
                                            {"label_smoothing", 0}});
  o.architecture = options.named("architecture", architectures);
  o.embedding = options.integer("embedding", most_units);
  o.hidden = options.integer("hidden", most_units);
  o.layers = static_cast<int>(options.integer("layers", most_layers));
  o.bidirectional = options.boolean("bidirectional");
  o.attention = options.named("score", attentions);
  o.heads = options.integer("heads", most_units);
  o.window = options.integer("window", most_window);
  o.input_feeding = options.boolean("input_feeding");
  o.norm_first = options.boolean("norm_first");
  o.dropout = options.share("dropout");
  o.label_smoothing = options.share("label_smoothing");
  return o;
}

/// That the file's tensors have the sizes that its options give: a damaged file must not fill the
/// memory.
void check_sizes(const ModelOptions& o, int64_t parameters,
                 const std::map<std::string, Tensor>& tensors) {
  auto check_size = [&](const char* option, int64_t size, const std::string& tensor, int axis) {
    const auto found = tensors.find(tensor);
    if (found == tensors.end() || found->second.rank() != 2)
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
  // Small ones may be missing or misshapen: the names and shapes tell which.
  int64_t held = 0;
  for (const auto& [name, tensor] : tensors) held += tensor.numel();
  if (parameters / 2 > held)
    throw Error(
        fmt::format("its options ask for {} parameters, its tensors hold {}", parameters, held));
}

}  // namespace

Trained load(const std::string& path) {
  return read_model(path, kind, [&](const TensorFile& file) -> Trained {
    const ModelOptions options = options_from(file.metadata);
    Vocabulary source = vocabulary_in(file.metadata, "source_vocabulary");
    Vocabulary target = vocabulary_in(file.metadata, "target_vocabulary");
    check_sizes(options, planned_parameter_count(source.size(), target.size(), options),
                file.tensors);
    Generator unused(0);
    Translator model(source.size(), target.size(), options, unused);
    load_tensors_into(model, file.tensors);
    return {std::move(source), std::move(target), std::move(model)};
  });
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
  for (const auto& indices : batches_by_length(lengths, batch_options(options.beam))) {
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
  const std::vector<Example> examples = encode(pairs, trained.source, trained.target);
  std::vector<int64_t> lengths;
  for (const Example& example : examples)
    lengths.push_back(std::max(std::ssize(example.source), std::ssize(example.target)));
  const auto batches = batches_by_length(lengths, batch_options());
  const auto losses = share_out(std::ssize(batches), 2, [&](int64_t batch_number, double* numbers) {
    std::vector<Example> part;
    for (const int64_t i : batches[static_cast<size_t>(batch_number)])
      part.push_back(examples[static_cast<size_t>(i)]);
    const Batch batch = make_batch(part);
    numbers[0] = trained.model.loss(batch).item();
    numbers[1] = static_cast<double>(batch.target_tokens);
  });
  double loss = 0, target_tokens = 0;
  for (size_t i = 0; i < losses.size(); i += 2) {
    loss += losses[i];
    target_tokens += losses[i + 1];
  }

  std::vector<std::string> texts;
  for (const Pair& pair : pairs) texts.push_back(pair.source);
  Sentences hypotheses, references;
  const auto translate_share = [&](int64_t begin, int64_t end) {
    Lists best;
    for (auto& translations :
         translate_texts(trained, {texts.begin() + begin, texts.begin() + end}, options))
      best.push_back(std::move(translations[0].ids));
    return best;
  };
  for (const auto& ids : share_out(std::ssize(texts), translate_share))
    hypotheses.push_back(trained.target.decode(ids));
  for (const Pair& pair : pairs) references.push_back(tokens(pair.target, trained.target.unit()));
  return {loss / target_tokens, evaluate(hypotheses, references)};
}

}  // namespace gradus::translate
