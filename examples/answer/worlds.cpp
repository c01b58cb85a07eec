#include "examples/answer/worlds.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace gradus::answer {

namespace {

/// How a language tells of a world. {0} acts; places in the texts are those of fmt.
struct Wording {
  std::vector<std::string> people, rooms, things, counts, sides, go, take;
  std::string drop, give, either, beside, where, where_thing, who, how_many, is_in, which_way,
      both_ways;
  std::string yes, no, maybe;
};

const Wording& wording_of(Language language) {
  static const Wording english{
      .people = {"Anna", "Ben", "Clara", "David", "Emma"},
      .rooms = {"kitchen", "garden", "office", "attic", "cellar", "library"},
      .things = {"lamp", "book", "apple", "key"},
      .counts = {"none", "one", "two", "three", "four"},
      .sides = {"north", "east", "south", "west"},
      .go = {"{0} went to the {1}.", "{0} walked into the {1}."},
      .take = {"{0} took the {1}.", "{0} picked up the {1}."},
      .drop = "{0} put down the {1}.",
      .give = "{0} gave the {1} to {2}.",
      .either = "{0} is in the {1} or the {2}.",
      .beside = "The {0} is {2} of the {1}.",
      .where = "Where is {0}?",
      .where_thing = "Where is the {0}?",
      .who = "Who has the {0}?",
      .how_many = "How many things does {0} have?",
      .is_in = "Is {0} in the {1}?",
      .which_way = "How do you go from the {0} to the {1}?",
      .both_ways = "{0} then {1}",
      .yes = "yes",
      .no = "no",
      .maybe = "maybe"};
  static const Wording chinese{.people = {"小明", "阿强", "丽丽", "老王", "文文"},
                               .rooms = {"厨房", "花园", "书房", "阁楼", "地下室", "客厅"},
                               .things = {"台灯", "词典", "苹果", "钥匙"},
                               .counts = {"零", "一", "二", "三", "四"},
                               .sides = {"北", "东", "南", "西"},
                               .go = {"{0}去了{1}。", "{0}走进了{1}。"},
                               .take = {"{0}拿走了{1}。", "{0}捡起了{1}。"},
                               .drop = "{0}放下了{1}。",
                               .give = "{0}把{1}给了{2}。",
                               .either = "{0}在{1}或者{2}。",
                               .beside = "{0}在{1}的{2}边。",
                               .where = "{0}在哪里？",
                               .where_thing = "{0}在哪里？",
                               .who = "谁有{0}？",
                               .how_many = "{0}有几样东西？",
                               .is_in = "{0}在{1}吗？",
                               .which_way = "从{0}怎么去{1}？",
                               .both_ways = "先{0}后{1}",
                               .yes = "是",
                               .no = "不",
                               .maybe = "也许"};
  return language == Language::english ? english : chinese;
}

constexpr int64_t unknown = -1;
enum Kind { where_person, where_thing, who_has, how_many, is_in, which_way };
enum Event { go, take, drop, give, either };

/// A world while it is told. Draws that cannot happen are left out, so the story tells no lie.
class World {
 public:
  World(const Wording& words, Generator& generator, Stories& told)
      : words_(words), generator_(generator), told_(told) {}

  void happen(Event event) {
    const int64_t who = draw(words_.people), what = draw(words_.things), variant = draw(words_.go);
    const int64_t room = draw(words_.rooms), other = draw(words_.rooms), whom = draw(words_.people);
    const bool holds = holder_[what] == who, is_free = holder_[what] == unknown;
    if (event == go) {
      room_[who] = room, or_[who] = unknown;
      tell(words_.go[size_t(variant)], name(who), words_.rooms[size_t(room)]);
    } else if (event == either && room != other) {
      room_[who] = room, or_[who] = other;
      tell(words_.either, name(who), words_.rooms[size_t(room)], words_.rooms[size_t(other)]);
    } else if (event == take && is_free && (spot_[what] == unknown || spot_[what] == room_[who])) {
      holder_[what] = who;
      tell(words_.take[size_t(variant)], name(who), thing(what));
    } else if (event == drop && holds) {
      holder_[what] = unknown, spot_[what] = room_[who];
      tell(words_.drop, name(who), thing(what));
    } else if (event == give && holds && who != whom) {
      holder_[what] = whom;
      tell(words_.give, name(who), thing(what), name(whom));
    }
  }

  /// Rooms on a grid; the way from the first to the second or the third of them is asked.
  void lay_out(Question& question) {
    const auto order = generator_.permutation(std::ssize(words_.rooms));
    const auto side = [&](int64_t i) { return words_.sides[size_t(i)]; };
    const auto room = [&](int64_t i) { return words_.rooms[size_t(order[size_t(i)])]; };
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
      lines.push_back(fmt::format(fmt::runtime(words_.beside), room(turned ? from : next),
                                  room(turned ? next : from), side(turned ? (way + 2) % 4 : way)));
    }
    for (const int64_t i : generator_.permutation(std::ssize(lines)))
      told_.sentences.push_back(lines[size_t(i)]);
    const bool far = generator_.below(2) == 0;
    question.text = fmt::format(fmt::runtime(words_.which_way), room(0), room(far ? 2 : 1));
    question.answer =
        far ? fmt::format(fmt::runtime(words_.both_ways), side(ways[0]), side(ways[1]))
            : side(ways[0]);
  }

  /// Asks; false where the story does not tell the answer.
  bool ask(Kind kind, Question& question) {
    const int64_t who = draw(words_.people), what = draw(words_.things), room = draw(words_.rooms);
    const int64_t holder = holder_[what];
    const auto put = [&](const std::string& text, const std::string& answer, const auto&... names) {
      question.text = fmt::format(fmt::runtime(text), names...);
      question.answer = answer;
      return true;
    };
    if (kind == where_person && room_[who] != unknown)
      return put(words_.where, words_.rooms[size_t(room_[who])], name(who));
    if (kind == where_thing) {
      const int64_t spot = holder == unknown ? spot_[what] : room_[holder];
      return spot != unknown && put(words_.where_thing, words_.rooms[size_t(spot)], thing(what));
    }
    if (kind == who_has && holder != unknown) return put(words_.who, name(holder), thing(what));
    if (kind == how_many)
      return put(words_.how_many, words_.counts[size_t(std::ranges::count(holder_, who))],
                 name(who));
    if (kind == is_in && room_[who] != unknown) {
      // Every other time about a room that was spoken of, so that no is not nearly always right.
      const int64_t asked = generator_.below(2) == 0 ? room_[who] : room;
      const bool here = asked == room_[who] || asked == or_[who];
      return put(words_.is_in,
                 !here                 ? words_.no
                 : or_[who] == unknown ? words_.yes
                                       : words_.maybe,
                 name(who), words_.rooms[size_t(asked)]);
    }
    return false;
  }

 private:
  int64_t draw(const std::vector<std::string>& from) { return generator_.below(std::ssize(from)); }
  const std::string& name(int64_t who) const { return words_.people[size_t(who)]; }
  const std::string& thing(int64_t what) const { return words_.things[size_t(what)]; }
  void tell(const std::string& text, const auto&... names) {
    told_.sentences.push_back(fmt::format(fmt::runtime(text), names...));
  }

  const Wording& words_;
  Generator& generator_;
  Stories& told_;
  std::vector<int64_t> room_ = std::vector(words_.people.size(), unknown), or_ = room_;
  std::vector<int64_t> holder_ = std::vector(words_.things.size(), unknown), spot_ = holder_;
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
    World world(wording_of(language), generator, told);
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
