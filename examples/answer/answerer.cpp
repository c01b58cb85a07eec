#include "examples/answer/answerer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/functions/cross_entropy.h"
#include "core/functions/softmax.h"
#include "core/ops/reduce.h"
#include "examples/terminal/output.h"
#include "examples/training/memory.h"
#include "layers/batches.h"

namespace gradus::answer {

using namespace training;

namespace {

using Indices = std::vector<int64_t>;
constexpr int64_t most_units = 4096;

nlohmann::json to_json(const LearnOptions& o) {
  return {{"architecture", name_among(architectures, o.architecture)},
          {"size", o.model.size},
          {"hops", o.model.hops},
          {"memory", o.model.memory},
          {"tying", name_among(tyings, o.model.tying)},
          {"position", o.model.position},
          {"linear-start", o.linear_start},
          {"noise", o.noise}};
}

std::vector<Indices> batches_of(const Encoded& data, const Indices& questions, int64_t batch_size,
                                Generator* generator) {
  Indices lengths;
  for (const int64_t q : questions) lengths.push_back(data.end[q] - data.begin[q]);
  auto batches = batches_by_length(lengths, {.batch_size = batch_size}, generator);
  for (Indices& batch : batches)
    for (int64_t& i : batch) i = questions[i];
  return batches;
}

Answerer untrained(Vocabulary vocabulary, Architecture architecture, const MemoryOptions& options,
                   Generator& generator) {
  const int64_t words = vocabulary.size();
  Answerer answerer{std::move(vocabulary), {}, {}};
  if (architecture != Architecture::reduction) answerer.memory.emplace(words, options, generator);
  if (architecture != Architecture::memory)
    answerer.reduction.emplace(words, ReductionOptions{.size = options.size, .hops = options.hops},
                               generator);
  return answerer;
}

void start_linearly(Answerer& answerer, bool linear) {
  if (answerer.memory) answerer.memory->linear = linear;
}

/// Calls take(name, output) for each of its networks.
void run(const Answerer& answerer, const Batch& batch, auto&& take) {
  const auto ask = [&](const char* name, const auto& network) {
    if (network) take(name, (*network)(batch.story, batch.question, batch.mask));
  };
  ask("memory", answerer.memory);
  ask("reduction", answerer.reduction);
}

Tensor logits(const Answerer& answerer, const Batch& batch) {
  Tensor sum;
  run(answerer, batch, [&](const char*, const auto& output) {
    sum = sum.defined() ? sum + output.logits : output.logits;
  });
  return sum;
}

int64_t count_right(const Tensor& logits, const Tensor& answers) {
  return static_cast<int64_t>(sum(equal(argmax(logits, 1), answers)).item());
}

}  // namespace

const std::vector<Figure> figures{{"valid_loss", "valid loss {:.3f}"},
                                  {"accuracy", "accuracy {:.1f} %"}};

Answerer load(const std::string& path) {
  return read_model(path, kind_of_model, [](const TensorFile& file) {
    const StoredOptions stored(file.metadata);
    const MemoryOptions options{.size = stored.integer("size", most_units),
                                .hops = stored.integer("hops", 100),
                                .memory = stored.integer("memory", most_units),
                                .tying = stored.named("tying", tyings),
                                .position = stored.boolean("position")};
    Generator generator(0);
    Answerer answerer = untrained(vocabulary_in(file.metadata, "vocabulary"),
                                  stored.named("architecture", architectures), options, generator);
    load_tensors_into(answerer, file.tensors);
    return answerer;
  });
}

Learned learn(const Stories& stories, const LearnOptions& options, const TrainOptions& training) {
  std::set<std::string> answers;
  for (const Question& question : stories.questions) answers.insert(answer_token(question.answer));
  if (answers.size() < 2)
    throw Error(fmt::format(
        "all {} questions have the same answer{}; expected two or more different ones",
        stories.questions.size(), answers.empty() ? "" : ", '" + *answers.begin() + "'"));
  Vocabulary vocabulary = vocabulary_of(stories);
  const int64_t d = options.model.size, n = vocabulary.size();
  check_memory(
      (options.model.hops + 1) * d * (n + options.model.memory + 4 * d),
      fmt::format("a model of --size {}, --hops {} and {} words", d, options.model.hops, n));
  Generator generator(training.seed);
  Answerer answerer =
      untrained(std::move(vocabulary), options.architecture, options.model, generator);
  const double noise = options.architecture == Architecture::memory ? options.noise : 0;
  const Encoded data(stories, answerer.vocabulary);

  // One story in ten, always the same ones, is for the validation, with all its questions.
  Indices learned, held_out;
  Generator split(1);
  bool is_held_out = false;
  for (int64_t q = 0; q < std::ssize(data.begin); ++q) {
    if (q == 0 || data.begin[q] != data.begin[q - 1]) is_held_out = split.below(10) == 0;
    (is_held_out ? held_out : learned).push_back(q);
  }
  if (held_out.empty() || learned.empty())
    throw Error(fmt::format(
        "expected questions about some 50 stories or more, of which one in ten is for the "
        "validation, got {} questions",
        data.begin.size()));
  const auto loss = [&](Answerer& a, const Indices& questions, Generator* generator) {
    const Batch batch = batch_of(data, questions, noise, generator);
    return BatchLoss{cross_entropy(logits(a, batch), batch.answers, {.reduction = Reduction::sum}),
                     std::ssize(questions)};
  };
  std::string all;
  for (const std::string& sentence : stories.sentences) all += sentence + '\n';
  for (const Question& q : stories.questions)
    all += fmt::format("{}\t{}\t{}\t{}\n", q.text, q.answer, q.begin, q.end);
  const auto validation = batches_of(data, held_out, 100, nullptr);
  const Task<Answerer, Indices> task{
      .about = description(kind_of_model, to_json(options),
                           {{"vocabulary", answerer.vocabulary.to_json()}}),
      .data = {{"stories", checksum(all)}},
      .begin_epoch = [&](Answerer& a,
                         int64_t epoch) { start_linearly(a, epoch <= options.linear_start); },
      .batches = [&](Generator& of) { return batches_of(data, learned, training.batch_size, &of); },
      .loss = loss,
      .validate =
          [&](Answerer& a) {
            start_linearly(a, false);
            const auto judge = [&](int64_t i) {
              const Batch batch = batch_of(data, validation[static_cast<size_t>(i)]);
              const Tensor guess = logits(a, batch);
              return std::array{
                  cross_entropy(guess, batch.answers, {.reduction = Reduction::sum}).item(),
                  double(count_right(guess, batch.answers))};
            };
            const auto [sum, right] = share_out_sums(std::ssize(validation), judge);
            const auto asked = double(held_out.size());
            return Figures{sum / asked, 100 * right / asked};
          },
      .figures = figures,
      .better = higher(1),
      .item = "questions"};
  terminal::say("{} questions to learn, {} to judge on; {} words, {} parameters\n", learned.size(),
                held_out.size(), n, parameter_count(answerer));
  TrainReport report = train(answerer, task, training);
  start_linearly(answerer, false);
  return {std::move(answerer), std::move(report)};
}

Tallies scores(const Answerer& answerer, const Stories& stories) {
  const NoGrad pause;
  const Encoded data(stories, answerer.vocabulary);
  std::map<std::string, Indices> kinds;
  for (int64_t q = 0; q < std::ssize(stories.questions); ++q)
    kinds[stories.questions[q].kind].push_back(q);
  Tallies all;
  for (const auto& [kind, questions] : kinds)
    for (const Indices& some : batches_of(data, questions, 100, nullptr)) {
      const Batch batch = batch_of(data, some);
      all[kind].right += count_right(logits(answerer, batch), batch.answers);
      all[kind].asked += std::ssize(some);
    }
  return all;
}

Answer answer(const Answerer& answerer, const std::vector<std::string>& story,
              const std::string& question) {
  const NoGrad pause;
  if (story.empty()) throw Error("there is no story yet; expected a sentence before a question");
  const Encoded data({story, {{0, std::ssize(story), question, "", ""}}}, answerer.vocabulary);
  if (std::ranges::all_of(data.questions[0], [](int64_t id) { return id == unk_id; }))
    throw Error(fmt::format("no word of '{}' is among the {} words of the model", question,
                            answerer.vocabulary.size()));
  const Batch batch = batch_of(data, {0});
  const std::vector<float> p = softmax(logits(answerer, batch)).to_vector<float>();
  const auto best = std::ranges::max_element(p);
  Answer result{answerer.vocabulary.token(best - p.begin()), *best, {}};
  auto& [hops, sentences, rows] = result.attention;
  sentences = story;
  rows.resize(story.size());
  const bool both = answerer.memory && answerer.reduction;
  run(answerer, batch, [&](const char* name, const auto& output) {
    const Tensor looks = looks_of(output);  // the newest sentence first
    const std::vector<float> weights = looks.to_vector<float>();
    for (int64_t hop = 0; hop < looks.size(1); ++hop) {
      hops.push_back(fmt::format("{} {}", both ? name : "hop", hop + 1));
      for (int64_t i = 0; i < std::ssize(story); ++i)
        rows[size_t(std::ssize(story) - 1 - i)].push_back(
            i < looks.size(2) ? weights[size_t(hop * looks.size(2) + i)] : 0);
    }
  });
  return result;
}

}  // namespace gradus::answer
