#include "examples/look/looker.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/functions/cross_entropy.h"
#include "core/functions/softmax.h"
#include "core/ops/reduce.h"
#include "examples/terminal/output.h"
#include "examples/training/memory.h"
#include "layers/batches.h"

namespace gradus::look {

using namespace training;

namespace {

using Indices = std::vector<int64_t>;
constexpr int64_t most_units = 4096, unasked = -100, unknown_answer = -1;

nlohmann::json to_json(const LookOptions& o) {
  return {{"size", o.size},
          {"heads", o.heads},
          {"hops", o.hops},
          {"picture", o.picture},
          {"question", o.question}};
}

/// Examples as numbers.
struct Encoded {
  Encoded(const Examples& examples, const Vocabulary& vocabulary,
          const std::vector<std::string>& known)
      : pictures(examples.pictures), begin(pictures.size() + 1) {
    std::map<std::string, int64_t> seen;
    for (const Question& q : examples.questions) {
      const auto [place, is_new] = seen.try_emplace(q.text, std::ssize(sentences));
      if (is_new) sentences.push_back(vocabulary.encode_text(q.text));
      asked.push_back(place->second);
      const auto found = std::ranges::find(known, q.answer);
      answers.push_back(found == known.end() ? unknown_answer : found - known.begin());
      ++begin[size_t(q.picture) + 1];
    }
    for (size_t i = 0; i < pictures.size(); ++i) begin[i + 1] += begin[i];
  }

  const std::vector<Picture>& pictures;
  std::vector<Indices> sentences;  ///< each once
  Indices asked, answers;          ///< of each question
  Indices begin;                   ///< the first question of each picture, and the end
};

struct Batch {
  /// All questions about these pictures.
  Batch(const Encoded& data, const Indices& pictures) {
    int64_t most = 1;
    for (const int64_t i : pictures) most = std::max(most, data.begin[i + 1] - data.begin[i]);
    const int64_t rows = std::ssize(pictures);
    patches = Tensor::uninitialised({rows, patch_count, patch_size}, DType::float32);
    asked = zeros({rows, most}, DType::int64);
    answers = full({rows, most}, unasked, DType::int64);
    float* ink = patches.mutable_data<float>();
    auto *ask = asked.mutable_data<int64_t>(), *answer = answers.mutable_data<int64_t>();
    std::map<int64_t, int64_t> used;
    std::vector<Indices> texts;
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t i = pictures[row];
      for (int64_t patch = 0; patch < patch_count; ++patch)
        for (int64_t p = 0; p < patch_side * patch_side; ++p)
          for (const uint8_t channel :
               data.pictures[i].at(patch % patches_across * patch_side + p % patch_side,
                                   patch / patches_across * patch_side + p / patch_side))
            *ink++ = 1 - float(channel) / 255;
      for (int64_t q = data.begin[i]; q < data.begin[i + 1]; ++q) {
        const auto [place, is_new] = used.try_emplace(data.asked[q], std::ssize(texts));
        if (is_new) texts.push_back(data.sentences[data.asked[q]]);
        ask[row * most + q - data.begin[i]] = place->second;
        answer[row * most + q - data.begin[i]] = data.answers[q];
      }
    }
    sentences = pad_sequences(texts, pad_id);
  }

  Tensor patches, asked, answers;
  PaddedSequences sentences;
};

std::vector<Indices> batches_of(const Indices& pictures, int64_t size, Generator* generator) {
  auto batches = batches_by_length(Indices(pictures.size(), 1), {.batch_size = size}, generator);
  for (Indices& batch : batches)
    for (int64_t& i : batch) i = pictures[i];
  return batches;
}

LookOutput run(const LookNetwork& network, const Batch& batch) {
  return network(batch.patches, batch.sentences.ids, batch.sentences.mask, batch.asked);
}

/// Of each question about these pictures, whether the answer is right.
std::vector<bool> right(const Looker& looker, const Encoded& data, const Indices& pictures) {
  const NoGrad pause;
  const Batch batch(data, pictures);
  const Indices guessed = argmax(run(looker.network, batch).logits, -1).to_vector<int64_t>(),
                wanted = batch.answers.to_vector<int64_t>();
  std::vector<bool> are;
  for (size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i] != unasked) are.push_back(guessed[i] == wanted[i]);
  return are;
}

}  // namespace

const std::vector<Figure> figures{{"valid_loss", "valid loss {:.3f}"},
                                  {"accuracy", "accuracy {:.1f} %"}};

Looker load(const std::string& path) {
  return read_model(path, kind_of_model, [](const TensorFile& file) {
    const StoredOptions stored(file.metadata);
    const LookOptions options{.size = stored.integer("size", most_units),
                              .heads = stored.integer("heads", most_units),
                              .hops = stored.integer("hops", 100),
                              .picture = stored.boolean("picture"),
                              .question = stored.boolean("question")};
    Vocabulary vocabulary = vocabulary_in(file.metadata, "vocabulary");
    std::vector<std::string> answers;
    try {
      answers = nlohmann::json::parse(file.metadata.at("answers"))
                    .get<std::vector<std::string>>();
    } catch (const std::exception&) {
      throw Error("its answers are damaged");
    }
    Generator generator(0);
    LookNetwork network(vocabulary.size(), std::ssize(answers), options, generator);
    Looker looker{std::move(vocabulary), std::move(answers), std::move(network)};
    load_tensors_into(looker, file.tensors);
    return looker;
  });
}

Learned learn(const Examples& examples, const LookOptions& options, const TrainOptions& training) {
  std::vector<std::string> texts;
  std::set<std::string> different;
  for (const Question& q : examples.questions) {
    texts.push_back(q.text);
    different.insert(q.answer);
  }
  if (examples.pictures.size() < 10)
    throw Error(fmt::format(
        "expected 10 pictures or more, of which one in ten is for the validation, got {}",
        examples.pictures.size()));
  if (different.size() < 2)
    throw Error(fmt::format("all questions have the same answer, '{}'; expected two or more",
                            *different.begin()));
  Vocabulary vocabulary = Vocabulary::of_texts(texts, unit_of(texts), 1);
  const std::vector<std::string> answers(different.begin(), different.end());
  const int64_t d = options.size;
  check_memory(options.hops * 11 * d * d + 24 * d * d,
               fmt::format("a model of --size {} and --hops {}", d, options.hops));
  Generator generator(training.seed);
  LookNetwork network(vocabulary.size(), std::ssize(answers), options, generator);
  Looker looker{std::move(vocabulary), answers, std::move(network)};
  const Encoded data(examples, looker.vocabulary, answers);

  Indices learned, held_out;
  std::string all;
  for (int64_t i = 0; i < std::ssize(examples.pictures); ++i) {
    (i % 10 == 9 ? held_out : learned).push_back(i);
    for (const Colour& colour : examples.pictures[i].pixels) all.append(colour.begin(), colour.end());
  }
  for (const Question& q : examples.questions)
    all += fmt::format("{}\t{}\t{}\n", q.picture, q.text, q.answer);
  const auto loss = [&](Looker& l, const Indices& pictures, Generator*) {
    const Batch batch(data, pictures);
    int64_t asked = 0;
    for (const int64_t i : pictures) asked += data.begin[i + 1] - data.begin[i];
    return BatchLoss{cross_entropy(run(l.network, batch).logits, batch.answers,
                                   {.ignored_class = unasked, .reduction = Reduction::sum}),
                     asked};
  };
  const std::vector<Indices> validation = batches_of(held_out, 50, nullptr);
  const Task<Looker, Indices> task{
      .about = description(kind_of_model, to_json(options),
                           {{"vocabulary", looker.vocabulary.to_json()},
                            {"answers", nlohmann::json(answers).dump()}}),
      .data = {{"pictures", checksum(all)}},
      .batches = [&](Generator& of) { return batches_of(learned, training.batch_size, &of); },
      .loss = loss,
      .validate =
          [&](Looker& l) {
            Score score;
            for (const Indices& pictures : validation)
              for (const bool is_right : right(l, data, pictures))
                ++score.asked, score.right += is_right;
            return Figures{mean_loss(l, validation, loss), score.accuracy()};
          },
      .figures = figures,
      .better = higher(1),
      .item = "questions"};
  terminal::say("{} pictures to learn, {} to judge on; {} words, {} answers, {} parameters\n",
                learned.size(), held_out.size(), looker.vocabulary.size(), answers.size(),
                parameter_count(looker));
  TrainReport report = train(looker, task, training);
  return {std::move(looker), std::move(report)};
}

std::map<std::string, Score> scores(const Looker& looker, const Examples& examples) {
  const Encoded data(examples, looker.vocabulary, looker.answers);
  Indices every;
  for (int64_t i = 0; i < std::ssize(examples.pictures); ++i) every.push_back(i);
  std::map<std::string, Score> all;
  size_t question = 0;
  for (const Indices& pictures : batches_of(every, 50, nullptr))
    for (const bool is_right : right(looker, data, pictures)) {
      Score& score = all[examples.questions[question++].kind];
      ++score.asked, score.right += is_right;
    }
  return all;
}

Answer answer(const Looker& looker, const Picture& picture, const std::string& question) {
  const NoGrad pause;
  const Examples examples{{picture}, {{0, question, "", ""}}};
  const Encoded data(examples, looker.vocabulary, looker.answers);
  if (std::ranges::all_of(data.sentences[0], [](int64_t id) { return id == unk_id; }))
    throw Error(fmt::format("no word of '{}' is among the {} words of the model", question,
                            looker.vocabulary.size()));
  const LookOutput output = run(looker.network, Batch(data, {0}));
  const std::vector<float> p = softmax(output.logits).to_vector<float>();
  const auto best = std::ranges::max_element(p);
  Answer result{looker.answers[size_t(best - p.begin())], *best, {}};
  for (const Tensor& weights : output.weights)
    result.weights.push_back(mean(weights, {1}).to_vector<double>());
  return result;
}

}  // namespace gradus::look
