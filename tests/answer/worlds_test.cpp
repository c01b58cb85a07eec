#include "examples/answer/worlds.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <sstream>

using namespace gradus;
using namespace gradus::answer;

namespace {

using Names = std::set<std::string>;
using Line = std::vector<std::string>;

Line words(std::string text) {
  std::erase_if(text, [](char c) { return c == '.' || c == '?'; });
  std::istringstream in(text);
  Line all;
  for (std::string word; in >> word;) all.push_back(word);
  return all;
}

/// What an English story says, read from its words alone.
struct Reading {
  std::map<std::string, Names> rooms;  // of a person or thing: where it may be
  std::map<std::string, std::string> holder;
  std::map<std::pair<std::string, std::string>, std::string> way;  // from, to

  void read(const Line& w) {
    const std::map<std::string, std::string> opposite{
        {"north", "south"}, {"south", "north"}, {"east", "west"}, {"west", "east"}};
    if (w[0] == "The") {  // The A is north of the B
      way[{w.back(), w[1]}] = w[3];
      way[{w[1], w.back()}] = opposite.at(w[3]);
    } else if (w[1] == "went" || w[1] == "walked") {
      rooms[w[0]] = {w.back()};
    } else if (w[1] == "is") {  // X is in the A or the B
      rooms[w[0]] = {w[4], w[7]};
    } else if (w[1] == "took" || w[1] == "picked") {
      REQUIRE(!holder.contains(w.back()));
      if (rooms.contains(w.back())) CHECK(rooms.at(w.back()) == rooms[w[0]]);
      holder[w.back()] = w[0];
    } else if (w[1] == "put") {
      REQUIRE(holder.at(w.back()) == w[0]);
      holder.erase(w.back());
      rooms.erase(w.back());
      if (rooms.contains(w[0])) rooms[w.back()] = rooms[w[0]];
    } else {  // X gave the T to Y
      REQUIRE(w[1] == "gave");
      REQUIRE(holder.at(w[3]) == w[0]);
      holder[w[3]] = w[5];
    }
  }
  std::string answer(const Line& q) const {
    if (q[0] == "Where") {
      const auto held = holder.find(q.back());
      const Names& there = rooms.at(held == holder.end() ? q.back() : held->second);
      REQUIRE(there.size() == 1);
      return *there.begin();
    }
    if (q[0] == "Who") return holder.at(q.back());
    if (q[1] == "many") {
      int count = 0;
      for (const auto& [thing, person] : holder) count += person == q[4];
      return std::array{"none", "one", "two", "three", "four"}[static_cast<size_t>(count)];
    }
    if (q[0] == "Is") {
      const Names& there = rooms.at(q[1]);
      return !there.contains(q.back()) ? "no" : there.size() == 1 ? "yes" : "maybe";
    }
    const std::string from = q[6], to = q.back();  // How do you go from the A to the B
    if (way.contains({from, to})) return way.at({from, to});
    for (const auto& [step, side] : way)
      if (step.first == from && way.contains({step.second, to}))
        return side + " then " + way.at({step.second, to});
    return "no way";
  }
};

Stories draw(int64_t count, uint64_t seed, Language language = english) {
  Generator generator(seed);
  return draw_worlds(count, language, generator);
}

}  // namespace

TEST_CASE("the answers about worlds are what their stories say") {
  const Stories stories = draw(3000, 5);
  REQUIRE(stories.questions.size() == 3000);
  std::map<std::string, std::map<std::string, int>> answers;
  for (const Question& question : stories.questions) {
    Reading reading;
    REQUIRE(question.end > question.begin);
    for (int64_t i = question.begin; i < question.end; ++i)
      reading.read(words(stories.sentences[static_cast<size_t>(i)]));
    CHECK_MESSAGE(reading.answer(words(question.text)) == question.answer, question.text);
    ++answers[question.kind][question.answer];
  }
  CHECK(answers.size() == world_kinds.size());
  for (const auto& kind : answers)  // guessing one answer is right for the most part of none
    for (const auto& answer : kind.second)
      CHECK_MESSAGE(answer.second <= 275, kind.first, ": ", answer.first);
}

TEST_CASE("two languages tell of the same worlds") {
  const Stories told = draw(600, 7), retold = draw(600, 7, chinese);
  CHECK(told.sentences.size() == retold.sentences.size());
  std::map<std::string, std::string> to_chinese, to_english;
  for (size_t q = 0; q < 600; ++q) {
    const std::string &e = told.questions[q].answer, &c = retold.questions[q].answer;
    CHECK(to_chinese.try_emplace(e, c).first->second == c);
    CHECK(to_english.try_emplace(c, e).first->second == e);
    CHECK(told.questions[q].end == retold.questions[q].end);
  }
}

TEST_CASE("worlds depend on the seed alone, and known ones are told from new ones") {
  const Stories a = draw(60, 1), again = draw(60, 1), other = draw(60, 2);
  CHECK(a.sentences == again.sentences);
  CHECK(a.sentences != other.sentences);
  CHECK(without(a, again).questions.empty());
  CHECK(without(a, other).questions.size() == 60);
  Stories both = other;
  both.add(a);
  CHECK(without(both, a).questions.size() == 60);
}
