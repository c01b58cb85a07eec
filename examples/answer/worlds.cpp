#include "examples/answer/worlds.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace gradus::answer {

namespace {

/// In English and in Chinese. {0} acts; places in the texts are those of fmt.
using Text = std::array<const char*, 2>;
using Texts = std::vector<Text>;

const Texts people{
    {"Anna", "小明"}, {"Ben", "阿强"}, {"Clara", "丽丽"}, {"David", "老王"}, {"Emma", "文文"}};
const Texts rooms{{"kitchen", "厨房"}, {"garden", "花园"},   {"office", "书房"},
                  {"attic", "阁楼"},   {"cellar", "地下室"}, {"library", "客厅"}};
const Texts things{{"lamp", "台灯"}, {"book", "词典"}, {"apple", "苹果"}, {"key", "钥匙"}};
const Texts counts{{"none", "零"}, {"one", "一"}, {"two", "二"}, {"three", "三"}, {"four", "四"}};
const Texts sides{{"north", "北"}, {"east", "东"}, {"south", "南"}, {"west", "西"}};

const Texts went{{"{0} went to the {1}.", "{0}去了{1}。"},
                 {"{0} walked into the {1}.", "{0}走进了{1}。"}};
const Texts took{{"{0} took the {1}.", "{0}拿走了{1}。"},
                 {"{0} picked up the {1}.", "{0}捡起了{1}。"}};
constexpr Text dropped{"{0} put down the {1}.", "{0}放下了{1}。"};
constexpr Text gave{"{0} gave the {1} to {2}.", "{0}把{1}给了{2}。"};
constexpr Text in_either{"{0} is in the {1} or the {2}.", "{0}在{1}或者{2}。"};
constexpr Text beside{"The {0} is {2} of the {1}.", "{0}在{1}的{2}边。"};

constexpr Text where_is{"Where is {0}?", "{0}在哪里？"};
constexpr Text where_is_the{"Where is the {0}?", "{0}在哪里？"};
constexpr Text who{"Who has the {0}?", "谁有{0}？"};
constexpr Text how_many_things{"How many things does {0} have?", "{0}有几样东西？"};
constexpr Text is_it_in{"Is {0} in the {1}?", "{0}在{1}吗？"};
constexpr Text how_to_go{"How do you go from the {0} to the {1}?", "从{0}怎么去{1}？"};
constexpr Text both_ways{"{0} then {1}", "先{0}后{1}"};
constexpr Text yes{"yes", "是"}, no{"no", "不"}, maybe{"maybe", "也许"};

constexpr int64_t unknown = -1;
enum Kind { where_person, where_thing, who_has, how_many, is_in, which_way };
enum Event { go, take, drop, give, either };

/// A world while it is told. Draws that cannot happen are left out, so the story tells no lie.
class World {
 public:
  World(Language language, Generator& generator, Stories& told)
      : language_(language), generator_(generator), told_(told) {}

  void happen(Event event) {
    const int64_t who = draw(people), what = draw(things), variant = draw(went);
    const int64_t room = draw(rooms), other = draw(rooms), whom = draw(people);
    const bool holds = holder_[what] == who, is_free = holder_[what] == unknown;
    if (event == go) {
      room_[who] = room, or_[who] = unknown;
      tell(went[variant], people[who], rooms[room]);
    } else if (event == either && room != other) {
      room_[who] = room, or_[who] = other;
      tell(in_either, people[who], rooms[room], rooms[other]);
    } else if (event == take && is_free && (spot_[what] == unknown || spot_[what] == room_[who])) {
      holder_[what] = who;
      tell(took[variant], people[who], things[what]);
    } else if (event == drop && holds) {
      holder_[what] = unknown, spot_[what] = room_[who];
      tell(dropped, people[who], things[what]);
    } else if (event == give && holds && who != whom) {
      holder_[what] = whom;
      tell(gave, people[who], things[what], people[whom]);
    }
  }

  /// Rooms on a grid; the way from the first to the second or the third of them is asked.
  void lay_out(Question& question) {
    const auto order = generator_.permutation(std::ssize(rooms));
    const auto room = [&](int64_t i) { return rooms[size_t(order[size_t(i)])]; };
    std::vector<std::pair<int64_t, int64_t>> places{{0, 0}};
    std::vector<int64_t> ways;
    std::vector<std::string> lines;
    while (std::ssize(places) < 5) {
      const int64_t next = std::ssize(places), way = generator_.below(4);
      const int64_t from = next < 3 ? next - 1 : generator_.below(next);
      auto place = places[size_t(from)];
      (way % 2 == 0 ? place.second : place.first) += way < 2 ? 1 : -1;
      if (std::ranges::count(places, place) > 0) continue;
      places.push_back(place);
      ways.push_back(way);
      const bool turned = generator_.below(2) == 0;
      lines.push_back(text(beside, room(turned ? from : next), room(turned ? next : from),
                           sides[turned ? (way + 2) % 4 : way]));
    }
    for (const int64_t i : generator_.permutation(std::ssize(lines)))
      told_.sentences.push_back(lines[size_t(i)]);
    const bool far = generator_.below(2) == 0;
    question.text = text(how_to_go, room(0), room(far ? 2 : 1));
    question.answer = far ? text(both_ways, sides[ways[0]], sides[ways[1]]) : text(sides[ways[0]]);
  }

  /// Asks; false where the story does not tell the answer.
  bool ask(Kind kind, Question& question) {
    const int64_t whom = draw(people), what = draw(things), room = draw(rooms);
    const int64_t holder = holder_[what];
    const auto put = [&](const Text& answer, const Text& of, const auto&... names) {
      question.text = text(of, names...);
      question.answer = text(answer);
      return true;
    };
    if (kind == where_person && room_[whom] != unknown)
      return put(rooms[room_[whom]], where_is, people[whom]);
    if (kind == where_thing) {
      const int64_t spot = holder == unknown ? spot_[what] : room_[holder];
      return spot != unknown && put(rooms[spot], where_is_the, things[what]);
    }
    if (kind == who_has && holder != unknown) return put(people[holder], who, things[what]);
    if (kind == how_many)
      return put(counts[std::ranges::count(holder_, whom)], how_many_things, people[whom]);
    if (kind == is_in && room_[whom] != unknown) {
      // Every other time about a room that was spoken of, so that no is not nearly always right.
      const int64_t asked = generator_.below(2) == 0 ? room_[whom] : room;
      const bool here = asked == room_[whom] || asked == or_[whom];
      return put(!here                  ? no
                 : or_[whom] == unknown ? yes
                                        : maybe,
                 is_it_in, people[whom], rooms[asked]);
    }
    return false;
  }

 private:
  int64_t draw(const Texts& from) { return generator_.below(std::ssize(from)); }
  std::string text(const Text& of, const auto&... names) const {
    return fmt::format(fmt::runtime(of[language_]), names[language_]...);
  }
  void tell(const Text& of, const auto&... names) { told_.sentences.push_back(text(of, names...)); }

  Language language_;
  Generator& generator_;
  Stories& told_;
  std::vector<int64_t> room_ = std::vector(people.size(), unknown), or_ = room_;
  std::vector<int64_t> holder_ = std::vector(things.size(), unknown), spot_ = holder_;
};

}  // namespace

Stories draw_worlds(int64_t count, Language language, Generator& generator) {
  static const std::vector<Event> events[] = {{go, go, go, take, drop},
                                              {go, go, take, drop},
                                              {take, drop, give, give},
                                              {take, drop, give, give},
                                              {go, either}};
  Stories told;
  while (std::ssize(told.questions) < count) {
    const auto kind = static_cast<Kind>(told.questions.size() % world_kinds.size());
    const int64_t begin = std::ssize(told.sentences);
    World world(language, generator, told);
    Question question{begin, begin, "", "", world_kinds[kind]};
    const int64_t length = 4 + generator.below(5);
    while (kind != which_way && std::ssize(told.sentences) < begin + length)
      world.happen(events[kind][size_t(generator.below(std::ssize(events[kind])))]);
    if (kind == which_way)
      world.lay_out(question);
    else if (!world.ask(kind, question)) {
      told.sentences.resize(size_t(begin));  // another world then
      continue;
    }
    question.end = std::ssize(told.sentences);
    told.questions.push_back(question);
  }
  return told;
}

Stories without(const Stories& stories, const Stories& known) {
  const auto text = [](const Stories& of, const Question& question) {
    std::string all = question.text;
    for (int64_t i = question.begin; i < question.end; ++i) all += '\n' + of.sentences[size_t(i)];
    return all;
  };
  std::set<std::string> texts;
  for (const Question& question : known.questions) texts.insert(text(known, question));
  Stories left = stories;
  std::erase_if(left.questions,
                [&](const Question& q) { return texts.contains(text(stories, q)); });
  return left;
}

}  // namespace gradus::answer
