#include "examples/look/looker.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/functions/cross_entropy.h"
#include "core/functions/softmax.h"
#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "examples/terminal/output.h"
#include "examples/training/memory.h"
#include "layers/batches.h"

namespace gradus::look {

using namespace training;

namespace {

using Indices = std::vector<int64_t>;
constexpr int64_t most_units = 1024, most_hops = 20, unasked = -100, unknown_answer = -1;

nlohmann::json to_json(const LookOptions& o) {
  return {{"size", o.size},       {"heads", o.heads},     {"hops", o.hops},
          {"objects", o.objects}, {"picture", o.picture}, {"question", o.question}};
}

/// Examples as numbers.
struct Encoded {
  Encoded(const Examples& examples, const Vocabulary& vocabulary,
          const std::vector<std::string>& known)
      : pictures(examples.pictures), begin(pictures.size() + 1) {
    std::map<std::string, Indices> seen;  // most questions are asked of many pictures
    for (const Question& q : examples.questions) {
      const auto [place, is_new] = seen.try_emplace(q.text);
      if (is_new) place->second = vocabulary.encode_text(q.text);
      questions.push_back(place->second);
      const auto found = std::ranges::find(known, q.answer);
      answers.push_back(found == known.end() ? unknown_answer : found - known.begin());
      ++begin[size_t(q.picture) + 1];
    }
    for (size_t i = 0; i < pictures.size(); ++i) begin[i + 1] += begin[i];
  }

  const std::vector<Picture>& pictures;
  std::vector<Indices> questions;
  Indices answers, begin;  ///< begin: the first question of each picture, and the end
};

/// All questions about some pictures.
struct Batch {
  Batch(const Encoded& data, const Indices& pictures) {
    const int64_t rows = std::ssize(pictures);
    int64_t most = 1, longest = 1;
    for (const int64_t i : pictures) {
      most = std::max(most, data.begin[i + 1] - data.begin[i]);
      for (int64_t q = data.begin[i]; q < data.begin[i + 1]; ++q)
        longest = std::max(longest, std::ssize(data.questions[q]));
    }
    cells = Tensor::uninitialised({rows, cell_count, cell_size}, DType::float32);
    questions = full({rows, most, longest}, pad_id, DType::int64);
    answers = full({rows, most}, unasked, DType::int64);
    float* ink = cells.mutable_data<float>();
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t i = pictures[row];
      for (int64_t cell = 0; cell < cell_count; ++cell)
        for (int64_t p = 0; p < cell_side * cell_side; ++p)
          for (const uint8_t channel :
               data.pictures[i].at(cell % cells_across * cell_side + p % cell_side,
                                   cell / cells_across * cell_side + p / cell_side))
            *ink++ = 1 - float(channel) / 255;
      for (int64_t q = data.begin[i], at = row * most; q < data.begin[i + 1]; ++q, ++at) {
        std::ranges::copy(data.questions[q], questions.mutable_data<int64_t>() + at * longest);
        answers.mutable_data<int64_t>()[at] = data.answers[q];
      }
    }
  }

  Tensor cells;      ///< 0 is white, 1 is no light of a colour
  Tensor questions;  ///< (pictures, questions, words)
  Tensor answers;    ///< (pictures, questions), `unasked` behind the last one
};

std::vector<Indices> batches_of(const Indices& pictures, int64_t size, Generator* generator) {
  auto batches = batches_by_length(Indices(pictures.size(), 1), {.batch_size = size}, generator);
  for (Indices& batch : batches)
    for (int64_t& i : batch) i = pictures[i];
  return batches;
}

LookOutput run(const LookNetwork& network, const Batch& batch) {
  return network(batch.cells, batch.questions);
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
                              .hops = stored.integer("hops", most_hops),
                              .objects = stored.integer("objects", most_units),
                              .picture = stored.boolean("picture"),
                              .question = stored.boolean("question")};
    Vocabulary vocabulary = vocabulary_in(file.metadata, "vocabulary");
    std::vector<std::string> answers;
    try {
      nlohmann::json::parse(file.metadata.at("answers")).get_to(answers);
    } catch (const std::exception&) {  // answers are left empty
    }
    if (answers.empty()) throw Error("its answers are damaged");
    Generator generator(0);
    LookNetwork network(cells_across, cell_size, vocabulary.size(), std::ssize(answers), options,
                        generator);
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
  if (vocabulary.size() == unk_id + 2)
    throw Error(fmt::format("all questions are made of one word, '{}'; expected two or more",
                            vocabulary.token(unk_id + 1)));
  const std::vector<std::string> answers(different.begin(), different.end());
  const int64_t d = options.size;
  check_memory(options.hops * 11 * d * d + 24 * d * d,
               fmt::format("a model of --size {} and --hops {}", d, options.hops));
  Generator generator(training.seed);
  LookNetwork network(cells_across, cell_size, vocabulary.size(), std::ssize(answers), options,
                      generator);
  Looker looker{std::move(vocabulary), answers, std::move(network)};
  const Encoded data(examples, looker.vocabulary, answers);

  Indices learned, held_out;
  std::string all;
  for (int64_t i = 0; i < std::ssize(examples.pictures); ++i) {
    (i % 10 == 9 ? held_out : learned).push_back(i);
    const auto& pixels = examples.pictures[i].pixels;
    const std::string_view bytes(reinterpret_cast<const char*>(pixels.data()), 3 * pixels.size());
    all += fmt::format("{:x}\n", checksum(bytes));
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
            Tally score;
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

Tallies scores(const Looker& looker, const Examples& examples) {
  const Encoded data(examples, looker.vocabulary, looker.answers);
  Indices every;
  for (int64_t i = 0; i < std::ssize(examples.pictures); ++i) every.push_back(i);
  Tallies all;
  size_t question = 0;
  for (const Indices& pictures : batches_of(every, 50, nullptr))
    for (const bool is_right : right(looker, data, pictures)) {
      Tally& score = all[examples.questions[question++].kind];
      ++score.asked, score.right += is_right;
    }
  return all;
}

Answer answer(const Looker& looker, const Picture& picture, const std::string& question) {
  const NoGrad pause;
  const Examples examples{{picture}, {{0, question, "", ""}}};
  const Encoded data(examples, looker.vocabulary, looker.answers);
  if (std::ranges::all_of(data.questions[0], [](int64_t id) { return id == unk_id; }))
    throw Error(fmt::format("no word of '{}' is among the {} words of the model", question,
                            looker.vocabulary.size()));
  const LookOutput output = run(looker.network, Batch(data, {0}));
  const std::vector<float> p = softmax(output.logits).to_vector<float>();
  const auto best = std::ranges::max_element(p);
  Answer result{looker.answers[size_t(best - p.begin())], *best, {}};
  for (const Tensor& weights : output.weights)
    result.weights.push_back(weights.to_vector<double>());
  return result;
}

}  // namespace gradus::look
