#include "examples/translate/trained.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/autograd/autograd.h"
#include "core/files/json_check.h"
#include "core/files/safetensors.h"
#include "core/tensor/error.h"

namespace gradus::translate {

namespace {

/// Of sentences to translate: so many that the matrices are large, so few that they and their
/// hypotheses fit in memory.
BatchOptions batch_options(int64_t beam = 1) {
  return {.batch_size = std::clamp<int64_t>(1000 / std::max<int64_t>(beam, 1), 1, 100),
          .max_elements = 20'000};
}

constexpr const char* format = "gradus translator 1";

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
  return {{"format", format},
          {"options", options.dump()},
          {"source_vocabulary", trained.source.to_json()},
          {"target_vocabulary", trained.target.to_json()}};
}

void save(const std::string& path, Trained& trained) {
  save_tensors(path, {named_tensors(trained.model), describe(trained)});
}

namespace {

using nlohmann::json;

const json& member(const json& options, const char* name) {
  const auto found = options.find(name);
  if (found == options.end()) throw Error(fmt::format("its options do not give \"{}\"", name));
  return *found;
}

[[noreturn]] void refuse(const char* name, const std::string& expected, const json& got) {
  throw Error(fmt::format("its options give {} {}; expected {}", name, got.dump(), expected));
}

int64_t integer(const json& options, const char* name, int64_t most) {
  const json& value = member(options, name);
  // A size above INT64_MAX is refused as the negative number that it is read as.
  if (!value.is_number_integer() || value.get<int64_t>() < 1 || value.get<int64_t>() > most)
    refuse(name, fmt::format("an integer from 1 to {}", most), value);
  return value.get<int64_t>();
}

double share(const json& options, const char* name) {
  const json& value = member(options, name);
  if (!value.is_number() || !(value.get<double>() >= 0 && value.get<double>() < 1))
    refuse(name, "a number in [0, 1)", value);
  return value.get<double>();
}

bool boolean(const json& options, const char* name) {
  const json& value = member(options, name);
  if (!value.is_boolean()) refuse(name, "true or false", value);
  return value.get<bool>();
}

template <class T>
T named(const json& options, const char* name, const std::map<std::string, T>& names) {
  const json& value = member(options, name);
  if (!value.is_string()) refuse(name, "a name", value);
  return value_among(names, name, value.get<std::string>());
}

ModelOptions options_from(const std::string& text) {
  check_json("its metadata's \"options\"", text, 1);
  json options = json::parse(text);
  if (!options.is_object()) throw Error("its metadata's \"options\" are not a JSON object");
  ModelOptions o;
  const json absent{{"architecture", "lstm"},
                    {"heads", o.heads},
                    {"window", o.window},
                    {"norm_first", o.norm_first},
                    {"label_smoothing", 0}};  // from files of earlier versions
  for (const auto& [name, value] : absent.items())
    if (!options.contains(name)) options[name] = value;
  o.architecture = named(options, "architecture", architectures);
  o.embedding = integer(options, "embedding", most_units);
  o.hidden = integer(options, "hidden", most_units);
  o.layers = static_cast<int>(integer(options, "layers", most_layers));
  o.bidirectional = boolean(options, "bidirectional");
  o.attention = named(options, "score", attentions);
  o.heads = integer(options, "heads", most_units);
  o.window = integer(options, "window", most_window);
  o.input_feeding = boolean(options, "input_feeding");
  o.norm_first = boolean(options, "norm_first");
  o.dropout = share(options, "dropout");
  o.label_smoothing = share(options, "label_smoothing");
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

uint64_t checksum(Trained& trained) {
  uint64_t hash = 0xcbf29ce484222325;
  auto add = [&](std::string_view bytes) {
    for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  };
  for (const auto& [name, text] : describe(trained)) add(name + '\0' + text + '\0');
  for (const auto& [name, tensor] : named_tensors(trained.model)) {
    add(name + '\0');
    const auto bytes = std::as_bytes(tensor.span<float>());
    add({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  return hash;
}

bool is_model(const std::string& path) {
  try {
    const auto metadata = load_metadata(path);
    const auto found = metadata.find("format");
    return found != metadata.end() && found->second == format;
  } catch (const Error&) {
    return false;
  }
}

Trained load(const std::string& path) {
  const TensorFile file = load_tensors(path);
  auto field = [&](const char* name) {
    const auto found = file.metadata.find(name);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  return errors_at(path, [&]() -> Trained {
    if (field("format") != format)
      throw Error(
          fmt::format("not a model of this translator (its metadata does not say \"format\": "
                      "\"{}\")",
                      format));
    const ModelOptions options = options_from(field("options"));
    auto vocabulary = [&](const char* name) {
      try {
        return Vocabulary::from_json(field(name));
      } catch (const std::invalid_argument& error) {
        throw Error(fmt::format("its metadata's \"{}\": {}", name, error.what()));
      }
    };
    Vocabulary source = vocabulary("source_vocabulary");
    Vocabulary target = vocabulary("target_vocabulary");
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
  double loss = 0;
  int64_t target_tokens = 0;
  for (const auto& indices : batches_by_length(lengths, batch_options())) {
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
