#include "examples/answer/stories.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <regex>
#include <set>

#include "core/tensor/error.h"
#include "examples/terminal/output.h"
#include "examples/training/lines.h"
#include "examples/training/text.h"

namespace gradus::answer {

using namespace training;

namespace {

/// The columns of a line.
std::vector<std::string> split(std::string_view line) {
  std::vector<std::string> columns(1);
  for (const char c : line)
    if (c == '\t')
      columns.emplace_back();
    else
      columns.back() += c;
  return columns;
}

/// What is open while a file is read.
struct Reader {
  Stories stories;
  std::string kind;
  int64_t begin = 0, number = 0, first_line = 0;
  bool asked = true;

  void take(std::string_view line, int64_t line_number) {
    int64_t given = 0;
    const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), given);
    if (error != std::errc() || rest == line.data() + line.size() || *rest != ' ')
      throw Error("expected a number, a space and a sentence or question, as in '1 Mary slept.'");
    if (given == 1) {
      end_story();
      begin = std::ssize(stories.sentences);
      first_line = line_number;
      asked = false;
    } else if (given != number + 1) {
      throw Error(
          fmt::format("expected number 1, where a story begins, or {}, got {}", number + 1, given));
    }
    number = given;
    const auto columns = split(line.substr(static_cast<size_t>(rest + 1 - line.data())));
    if (columns.size() > 3)
      throw Error(fmt::format(
          "expected a sentence, or a question, its answer and its supporting facts, separated by "
          "tabs, got {} columns",
          columns.size()));
    for (size_t i = 0; i < columns.size() && i < 2; ++i)
      if (words_of(columns[i]).empty())
        throw Error(fmt::format("its {} is empty", columns.size() == 1 ? "sentence"
                                                   : i == 0            ? "question"
                                                                       : "answer"));
    const int64_t end = std::ssize(stories.sentences);
    if (columns.size() == 1) {
      stories.sentences.push_back(columns[0]);
    } else if (end == begin) {
      throw Error("a question before any sentence of its story");
    } else {
      stories.questions.push_back({begin, end, columns[0], columns[1], kind});
      asked = true;
    }
  }
  void end_story() const {
    if (!asked)
      throw Error(fmt::format(
          "the story that begins at line {} ends here without a question; expected a line of a "
          "question, a tab and its answer",
          first_line));
  }
};

}  // namespace

void Stories::add(const Stories& more) {
  const int64_t shift = std::ssize(sentences);
  sentences.insert(sentences.end(), more.sentences.begin(), more.sentences.end());
  for (Question question : more.questions) {
    question.begin += shift;
    question.end += shift;
    questions.push_back(std::move(question));
  }
}

Stories read_stories(const std::string& path, const std::string& kind) {
  Reader reader{.stories = {}, .kind = kind};
  const auto take = [&](std::string_view line, int64_t number) {
    const Flaw flaw = flaw_of(line);
    if (flaw == usable) reader.take(line, number);
    return flaw;
  };
  for (const std::string& warning : read_lines(
           path, {"story", "expected a UTF-8 text file of numbered lines, as bAbI's are"}, take))
    terminal::message(warning);
  errors_at(path, [&] { reader.end_story(); });
  return std::move(reader.stories);
}

std::map<int, BabiTask> tasks_in(const std::string& folder) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(folder))
    throw Error(fmt::format(
        "{}: there is no such folder; expected one with bAbI's files, such as tasks/en", folder));
  std::map<int, BabiTask> tasks;
  for (const auto& entry : fs::directory_iterator(folder)) {
    static const std::regex form(R"(qa([1-9]\d{0,3})_(.+)_(train|test)\.txt)");
    const std::string name = entry.path().filename().string();
    std::smatch parts;
    if (!std::regex_match(name, parts, form)) continue;
    BabiTask& task = tasks[std::stoi(parts[1])];
    task.name = fmt::format("qa{} {}", parts[1].str(), parts[2].str());
    (parts[3] == "train" ? task.train : task.test) = entry.path().string();
  }
  if (tasks.empty())
    throw Error(fmt::format(
        "{}: holds no file such as qa1_single-supporting-fact_train.txt; expected the folder of "
        "bAbI's files",
        folder));
  return tasks;
}

std::vector<std::string> words_of(const std::string& sentence) {
  static const std::set<std::string> marks{".", "?", "!", ",", ";", ":", "。", "？", "！", "，"};
  std::vector<std::string> words = tokens(sentence, unit_of({sentence}));
  std::erase_if(words, [](const std::string& word) { return marks.contains(word); });
  return words;
}

std::string answer_token(const std::string& answer) {
  const Unit unit = unit_of({answer});
  return join(tokens(answer, unit), unit);
}

Vocabulary vocabulary_of(const Stories& stories) {
  std::vector<std::vector<std::string>> texts;
  for (const std::string& sentence : stories.sentences) texts.push_back(words_of(sentence));
  for (const Question& question : stories.questions) {
    texts.push_back(words_of(question.text));
    texts.push_back({answer_token(question.answer)});
  }
  return Vocabulary(texts, Unit::words, 1);
}

Encoded::Encoded(const Stories& stories, const Vocabulary& vocabulary)
    : vocabulary(vocabulary.size()) {
  for (const std::string& sentence : stories.sentences)
    sentences.push_back(vocabulary.encode(words_of(sentence)));
  for (const Question& question : stories.questions) {
    questions.push_back(vocabulary.encode(words_of(question.text)));
    begin.push_back(question.begin);
    end.push_back(question.end);
    answers.push_back(vocabulary.id(answer_token(question.answer)));
  }
}

Batch batch_of(const Encoded& data, const std::vector<int64_t>& questions, double noise,
               Generator* generator) {
  using Sentences = std::vector<const std::vector<int64_t>*>;  // nullptr: an empty one
  const int64_t n = std::ssize(questions);
  std::vector<Sentences> stories;
  std::vector<int64_t> lengths, answers;
  for (const int64_t q : questions) {
    const auto of = [q](const std::vector<int64_t>& values) {
      return values[static_cast<size_t>(q)];
    };
    Sentences& story = stories.emplace_back();
    for (int64_t i = of(data.end); i > of(data.begin);) {
      const bool empty = generator && noise > 0 && generator->uniform() < noise;
      story.push_back(empty ? nullptr : &data.sentences[static_cast<size_t>(--i)]);
    }
    lengths.push_back(std::ssize(story));
    answers.push_back(of(data.answers));
  }
  const int64_t longest = lengths.empty() ? 0 : *std::ranges::max_element(lengths);
  const auto bags = [&](const Shape& shape, auto sentence_at) {
    Bags bags{zeros(shape), zeros(shape)};
    float *count = bags.counts.mutable_data<float>(), *place = bags.places.mutable_data<float>();
    for (int64_t row = 0; row < shape.numel() / data.vocabulary; ++row) {
      const std::vector<int64_t>* sentence = sentence_at(row);
      for (size_t j = 0; sentence && j < sentence->size(); ++j) {
        const int64_t at = row * data.vocabulary + (*sentence)[j];
        count[at] += 1;
        place[at] += static_cast<float>(j + 1) / static_cast<float>(sentence->size());
      }
    }
    return bags;
  };
  return {bags({n, longest, data.vocabulary},
               [&](int64_t row) -> const std::vector<int64_t>* {
                 const Sentences& story = stories[static_cast<size_t>(row / longest)];
                 const auto i = static_cast<size_t>(row % longest);
                 return i < story.size() ? story[i] : nullptr;
               }),
          bags({n, data.vocabulary},
               [&](int64_t row) {
                 return &data.questions[static_cast<size_t>(questions[static_cast<size_t>(row)])];
               }),
          Mask::lengths(lengths, longest), tensor(answers, {n})};
}

}  // namespace gradus::answer
