#include "examples/translate/trained.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/autograd/autograd.h"
#include "core/files/safetensors.h"
#include "core/functions/cross_entropy.h"
#include "core/functions/reduction.h"
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
  nlohmann::json options = {{"architecture", name_among(architectures, o.architecture)},
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
  if (o.subword_dropout > 0) options["subword_dropout"] = o.subword_dropout;
  if (o.tied != Tied::no) options["tied"] = name_among(ties, o.tied);
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
                                            {"label_smoothing", 0},
                                            {"subword_dropout", 0},
                                            {"tied", "no"}});
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
  o.subword_dropout = options.share("subword_dropout");
  o.tied = options.named("tied", ties);
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
  check_size("embedding", o.embedding,
             o.tied == Tied::all ? "target_embedding.weight" : "source_embedding.weight", 1);
  const bool is_lstm = o.architecture == Architecture::lstm;
  const std::string output = o.tied == Tied::no ? "output.weight" : "target_embedding.weight";
  check_size("hidden", o.hidden, is_lstm ? "combine.weight" : output, is_lstm ? 0 : 1);
  const bool is_transformer = o.architecture == Architecture::transformer;
  check_size("hidden", o.hidden,
             fmt::format("decoder.{}.{}", o.layers - 1,
                         is_transformer ? "feed_forward.inner.weight" : "weight_hh"),
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

namespace {

void check_same(const std::string& path, const Description& theirs, const std::string& first,
                const Description& ours, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    if (theirs.at(part) != ours.at(part))
      throw Error(fmt::format("{}: expected the {} of {}, found {}", path, part, first,
                              part == "options" ? theirs.at(part) : "other tokens"));
}

}  // namespace

Trained load(const std::vector<std::string>& paths) {
  Trained all = load(paths.at(0));
  for (const std::string& path : std::span(paths).subspan(1)) {
    Trained other = load(path);
    check_same(path, describe(other), paths[0], describe(all),
               {"source_vocabulary", "target_vocabulary"});
    all.others.push_back(std::move(other.model));
  }
  return all;
}

Trained average(const std::vector<std::string>& paths) {
  const NoGrad pause;
  Trained all = load(paths.at(0));
  std::map<std::string, Tensor> sums;
  for (const auto& [name, tensor] : named_tensors(all.model)) sums[name] = tensor.detach() / 1;
  for (const std::string& path : std::span(paths).subspan(1)) {
    Trained other = load(path);
    check_same(path, describe(other), paths[0], describe(all),
               {"options", "source_vocabulary", "target_vocabulary"});
    for (const auto& [name, tensor] : named_tensors(other.model))
      sums[name] = sums[name] + tensor.detach();
  }
  for (auto& [name, sum] : sums) sum = sum / static_cast<double>(paths.size());
  load_tensors_into(all.model, sums);
  return all;
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
  std::vector<const Translator*> models{&trained.model};
  for (const Translator& other : trained.others) models.push_back(&other);
  std::vector<std::vector<Hypothesis>> translations(texts.size());
  for (const auto& indices : batches_by_length(lengths, batch_options(options.beam))) {
    std::vector<std::vector<int64_t>> batch;
    for (const int64_t i : indices) batch.push_back(sentences[static_cast<size_t>(i)]);
    auto decoded = decode(models, batch, options);
    for (size_t k = 0; k < indices.size(); ++k)
      translations[static_cast<size_t>(indices[k])] = std::move(decoded[k]);
  }
  return translations;
}

namespace {

/// The token of the source at this place, as the target's vocabulary writes tokens. Where only the
/// source has subwords, all of the word that it is a part of.
std::string copied(const std::vector<std::string>& source, size_t place, Unit from, Unit to) {
  const std::string begins = "▁";
  if (from == Unit::words && to == Unit::subwords) return begins + source[place];
  if (from != Unit::subwords || to == Unit::subwords) return source[place];
  size_t first = place, end = place + 1;
  while (first > 0 && !source[first].starts_with(begins)) --first;
  while (end < source.size() && !source[end].starts_with(begins)) ++end;
  const auto begin = source.begin();
  return join({begin + std::ptrdiff_t(first), begin + std::ptrdiff_t(end)}, Unit::subwords);
}

}  // namespace

std::vector<std::string> written_tokens(const Trained& trained, const std::string& source,
                                        const Hypothesis& hypothesis) {
  std::vector<std::string> tokens = trained.target.decode(hypothesis.ids);
  if (hypothesis.attention.empty()) return tokens;
  const std::vector<std::string> words = trained.source.tokens(source);
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (hypothesis.ids[i] != unk_id) continue;
    const std::vector<double>& weights = hypothesis.attention[i];
    const auto place = static_cast<size_t>(std::ranges::max_element(weights) - weights.begin());
    if (place < words.size())
      tokens[i] = copied(words, place, trained.source.unit(), trained.target.unit());
  }
  return tokens;
}

std::string written_text(const Trained& trained, const std::string& source,
                         const Hypothesis& hypothesis) {
  return join(written_tokens(trained, source, hypothesis), trained.target.unit());
}

Tokenisation usual_tokenisation(const Trained& trained) {
  const Vocabulary& target = trained.target;
  if (target.unit() != Unit::subwords) return Tokenisation::own;
  std::vector<std::string> pieces;
  for (int64_t id = unk_id + 1; id < target.size(); ++id) pieces.push_back(target.token(id));
  return unit_of(pieces) == Unit::characters ? Tokenisation::characters : Tokenisation::v13a;
}

namespace {

/// Σ −log p of the target tokens of a batch under all models.
double loss_of(const Trained& trained, const Batch& batch) {
  if (trained.others.empty()) return trained.model.loss(batch).item();
  std::vector<Tensor> log_p{trained.model.log_p(batch)};
  for (const Translator& other : trained.others) log_p.push_back(other.log_p(batch));
  return cross_entropy(mean_of(log_p), batch.target_out,
                       {.ignored_class = pad_id, .reduction = Reduction::sum})
      .item();
}

}  // namespace

Evaluation evaluate(const Trained& trained, const std::vector<Pair>& pairs,
                    const DecodeOptions& options, std::optional<Tokenisation> asked) {
  const NoGrad pause;
  const std::vector<Example> examples = encode(pairs, trained.source, trained.target);
  std::vector<int64_t> lengths;
  for (const Example& example : examples)
    lengths.push_back(std::max(std::ssize(example.source), std::ssize(example.target)));
  const auto batches = batches_by_length(lengths, batch_options());
  const auto sum_of_batch = [&](int64_t batch_number) {
    std::vector<Example> part;
    for (const int64_t i : batches[static_cast<size_t>(batch_number)])
      part.push_back(examples[static_cast<size_t>(i)]);
    const Batch batch = make_batch(part);
    return std::array{loss_of(trained, batch), static_cast<double>(batch.target_tokens)};
  };
  const auto [loss, target_tokens] = share_out_sums(std::ssize(batches), sum_of_batch);

  std::vector<std::string> texts;
  for (const Pair& pair : pairs) texts.push_back(pair.source);
  const Tokenisation tokenisation = asked.value_or(usual_tokenisation(trained));
  const auto as_sacrebleu = [&](const std::string& text) {
    return tokenised(trained.target.lower_case() ? in_lower_case(text) : text, tokenisation);
  };
  const auto tokens_of = [&](size_t i, const Hypothesis& best) {
    return tokenisation == Tokenisation::own ? written_tokens(trained, texts[i], best)
                                             : as_sacrebleu(written_text(trained, texts[i], best));
  };
  const auto translate_share = [&](int64_t begin, int64_t end) {
    Sentences share;
    for (const auto& translations :
         translate_texts(trained, {texts.begin() + begin, texts.begin() + end}, options))
      share.push_back(tokens_of(static_cast<size_t>(begin) + share.size(), translations[0]));
    return share;
  };
  const Sentences hypotheses = share_out(std::ssize(texts), translate_share);
  Sentences references;
  for (const Pair& pair : pairs)
    references.push_back(tokenisation == Tokenisation::own ? trained.target.tokens(pair.target)
                                                           : as_sacrebleu(pair.target));
  return {loss / target_tokens, evaluate(hypotheses, references)};
}

}  // namespace gradus::translate
