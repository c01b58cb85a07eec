#include "examples/summarise/summariser.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/ops/pointwise.h"
#include "examples/summarise/rouge.h"
#include "examples/terminal/output.h"
#include "examples/training/memory.h"

namespace gradus::summarise {

using namespace training;

namespace {

constexpr int64_t most_units = 4096, most_words = 100'000;

nlohmann::json to_json(const Options& o) {
  return {{"embedding", o.model.embedding},    {"hidden", o.model.hidden},
          {"dropout", o.model.dropout},        {"copy", o.model.copy},
          {"coverage", o.model.coverage},      {"min-count", o.min_count},
          {"longest-text", o.longest_text},    {"longest-summary", o.longest_summary},
          {"coverage-start", o.coverage_start}};
}

Vocabulary vocabulary_of(const std::vector<Article>& articles, int64_t min_count) {
  std::vector<std::string> texts;
  for (const Article& article : articles) {
    texts.push_back(article.text);
    texts.push_back(article.summary);
  }
  std::optional<Vocabulary> vocabulary;
  try {
    vocabulary = Vocabulary::of_texts(texts, unit_of(texts), min_count);
  } catch (const std::invalid_argument&) {  // it would be empty
  }
  const int64_t count = vocabulary ? vocabulary->size() - unk_id - 1 : 0;
  if (count < 2)
    throw Error(fmt::format(
        "expected two words or more that occur {} times (--min-count), got {} in {} articles",
        min_count, count, articles.size()));
  return *vocabulary;
}

std::vector<Encoded> encoded(const std::vector<Article>& articles, const Vocabulary& vocabulary,
                             const Options& options) {
  std::vector<Encoded> all;
  for (const Article& article : articles)
    all.emplace_back(article, vocabulary, options.longest_text, options.longest_summary);
  return all;
}

std::vector<Batch> batches_of(const std::vector<const Encoded*>& articles, int64_t vocabulary,
                              int64_t size, Generator* generator) {
  std::vector<int64_t> lengths;
  for (const Encoded* article : articles) lengths.push_back(std::ssize(article->source));
  std::vector<Batch> batches;
  for (const auto& indices : batches_by_length(lengths, {.batch_size = size}, generator)) {
    std::vector<const Encoded*> some;
    for (const int64_t i : indices) some.push_back(articles[size_t(i)]);
    batches.emplace_back(some, vocabulary);
  }
  return batches;
}

}  // namespace

const std::vector<Figure> figures{{"valid_loss", "valid loss {:.3f}"}};

Summariser load(const std::string& path) {
  return read_model(path, kind_of_model, [](const TensorFile& file) {
    const StoredOptions stored(file.metadata);
    const Options options{.model = {.embedding = stored.integer("embedding", most_units),
                                    .hidden = stored.integer("hidden", most_units),
                                    .dropout = stored.share("dropout"),
                                    .copy = stored.boolean("copy"),
                                    .coverage = stored.boolean("coverage")},
                          .longest_text = stored.integer("longest-text", most_words),
                          .longest_summary = stored.integer("longest-summary", most_words)};
    Vocabulary vocabulary = vocabulary_in(file.metadata, "vocabulary");
    Generator generator(0);
    PointerGenerator network(vocabulary.size(), options.model, generator);
    Summariser summariser{std::move(vocabulary), options, std::move(network)};
    load_tensors_into(summariser, file.tensors);
    return summariser;
  });
}

Learned learn(const std::vector<Article>& articles, const Options& options,
              const TrainOptions& training) {
  if (articles.size() < 10)
    throw Error(
        fmt::format("expected 10 articles or more, of which one in ten is for the "
                    "validation, got {}",
                    articles.size()));
  Vocabulary vocabulary = vocabulary_of(articles, options.min_count);
  const int64_t n = vocabulary.size(), h = options.model.hidden;
  check_memory(n * (options.model.embedding + h) + 16 * h * h,
               fmt::format("a model of --hidden {} and {} words", h, n));
  Generator generator(training.seed);
  PointerGenerator network(n, options.model, generator);
  Summariser summariser{std::move(vocabulary), options, std::move(network)};

  const std::vector<Encoded> data = encoded(articles, summariser.vocabulary, options);
  std::vector<const Encoded*> learned, held_out;
  std::string all;
  for (size_t i = 0; i < data.size(); ++i) {
    (i % 10 == 9 ? held_out : learned).push_back(&data[i]);
    all += articles[i].text + '\t' + articles[i].summary + '\n';
  }
  bool covers = options.model.coverage;
  const auto loss = [&](Summariser& s, const Batch& batch, Generator* dropout) {
    const Losses of = s.network.losses(batch, dropout);
    int64_t words = 0;
    for (const int64_t length : batch.target.mask.lengths()) words += length;
    return BatchLoss{covers ? of.words + of.coverage : of.words, words};
  };
  const std::vector<Batch> validation = batches_of(held_out, n, training.batch_size, nullptr);
  const Task<Summariser, Batch> task{
      .about = description(kind_of_model, to_json(options),
                           {{"vocabulary", summariser.vocabulary.to_json()}}),
      .data = {{"articles", checksum(all)}},
      .begin_epoch =
          [&](Summariser&, int64_t epoch) {
            covers =
                options.model.coverage && double(epoch) > options.coverage_start * training.epochs;
          },
      .batches = [&](Generator& of) { return batches_of(learned, n, training.batch_size, &of); },
      .loss = loss,
      .part = [](const Batch& batch, const Shard& shard) -> std::optional<Batch> {
        const int64_t rows = batch.source.ids.size(0);
        if (shard.begin(rows) == shard.end(rows)) return std::nullopt;
        Batch part = batch;
        part.source = rows_of(batch.source, shard.begin(rows), shard.end(rows));
        part.target = rows_of(batch.target, shard.begin(rows), shard.end(rows));
        return part;
      },
      .validate =
          [&](Summariser& s) {
            covers = options.model.coverage;
            return Figures{mean_loss(s, validation, loss)};
          },
      .figures = figures,
      .item = "words"};
  terminal::say("{} articles to learn, {} to judge on; {} words, {} parameters\n", learned.size(),
                held_out.size(), n, parameter_count(summariser));
  TrainReport report = train(summariser, task, training);
  return {std::move(summariser), std::move(report)};
}

std::vector<Written> summarise(const Summariser& s, const std::vector<Article>& articles) {
  const std::vector<Encoded> data = encoded(articles, s.vocabulary, s.options);
  std::vector<Written> written(articles.size());
  std::vector<int64_t> lengths;
  for (const Encoded& article : data) {
    const auto is_known = [&](int64_t id) { return id > unk_id && id < s.vocabulary.size(); };
    if (std::ranges::none_of(article.source, is_known))
      throw Error(fmt::format("no word of the text is among the {} words of the model",
                              s.vocabulary.size()));
    lengths.push_back(std::ssize(article.source));
  }
  for (const auto& indices : batches_by_length(lengths, {.batch_size = 64})) {
    std::vector<const Encoded*> some;
    for (const int64_t i : indices) some.push_back(&data[size_t(i)]);
    const std::vector<Summary> summaries =
        s.network.write(Batch(some, s.vocabulary.size()), s.options.longest_summary);
    for (size_t row = 0; row < some.size(); ++row) {
      terminal::AttentionMap& map = written[size_t(indices[row])].map;
      map.target = some[row]->words;
      for (const int64_t id : summaries[row].ids)
        map.source.push_back(id < s.vocabulary.size()
                                 ? s.vocabulary.token(id)
                                 : some[row]->unknown[size_t(id - s.vocabulary.size())]);
      for (size_t i = 0; i < map.target.size(); ++i) {
        map.weights.emplace_back();
        for (const auto& looked : summaries[row].looked) map.weights[i].push_back(looked[i]);
      }
      written[size_t(indices[row])].text = join(map.source, s.vocabulary.unit());
    }
  }
  return written;
}

Scores scores(const std::vector<Article>& articles, const std::vector<std::string>& summaries,
              const Vocabulary& vocabulary) {
  Scores mean;
  Repeated trigrams;
  int64_t names = 0, right = 0;
  for (size_t i = 0; i < articles.size(); ++i) {
    const Words reference = rouge_words(articles[i].summary), ours = rouge_words(summaries[i]);
    const double share = 100 / double(articles.size());
    mean.rouge_1 += share * rouge_n(reference, ours, 1);
    mean.rouge_2 += share * rouge_n(reference, ours, 2);
    mean.rouge_l += share * rouge_l(reference, ours);
    const Repeated again = repeated(ours, 3);
    trigrams.again += again.again, trigrams.all += again.all;
    const auto text = tokens(articles[i].text, vocabulary.unit());
    const std::set<std::string> in_text(text.begin(), text.end());
    const auto unknown_of = [&](const std::string& summary) {
      Words words = tokens(summary, vocabulary.unit());
      std::erase_if(words, [&](const std::string& word) {
        return vocabulary.id(word) != unk_id || !in_text.contains(word);
      });
      return words;
    };
    const Words wanted = unknown_of(articles[i].summary);
    names += std::ssize(wanted);
    right += longest_common_subsequence(wanted, unknown_of(summaries[i]));
  }
  mean.repeated = trigrams.all == 0 ? 0 : 100 * double(trigrams.again) / double(trigrams.all);
  mean.names = names == 0 ? 0 : 100 * double(right) / double(names);
  return mean;
}

std::string first_sentence(const std::string& text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 3, "。") == 0) return text.substr(0, i + 3);
    if (std::string_view(".!?").find(text[i]) != std::string_view::npos &&
        (i + 1 == text.size() || text[i + 1] == ' '))
      return text.substr(0, i + 1);
  }
  return text;
}

}  // namespace gradus::summarise
