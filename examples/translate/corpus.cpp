#include "examples/translate/corpus.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "examples/training/text.h"
#include "examples/translate/lexicon.h"

namespace gradus::translate {
namespace {

// A rule of a syntax-directed translation (Aho and Ullman 1969): one sentence in two languages
// whose slots hold the same words, in the order of each language.
//   {do}         a word of the category "do"      {do.ing}   one of its forms, see lexicon.h
//   [do|does]    the second is for a subject that takes "is"
// `held_out` names the two slots whose pairs of words the parts of the corpus do not share.
struct Pattern {
  std::array<std::string_view, 2> held_out;
  std::string_view english, chinese;
};

// clang-format off
constexpr Pattern patterns[] = {
    // Time and place stand before the verb.
    {{"who", "do"},
     "{who} {who.be} {do.ing} {where.in}.",
     "{who}正在{where}{do}。"},
    {{"do", "future"},
     "{short} {short.be} going to {do} {where.in} {future}.",
     "{short}{future}要在{where}{do}。"},
    {{"often", "do"},
     "{who} {often} [{do}|{do.s}] {where.in}.",
     "{who}{often}在{where}{do}。"},
    {{"attitude", "do"},
     "{who} [{attitude}|{attitude.s}] {do} {where.in}.",
     "{who}{attitude}在{where}{do}。"},
    {{"by", "place"},
     "{who} [go|goes] to the {place} {by} {habit}.",
     "{who}{habit}{by}去{place}。"},
    {{"do", "other"},
     "{who} [{do}|{do.s}] with {other.object} {habit}.",
     "{who}{habit}和{other}一起{do}。"},
    {{"modal", "do"},
     "{who} {modal} {do} {future}.",
     "{who}{future}{modal}{do}。"},
    {{"place", "by"},
     "It takes {duration} from the {place} to the {place2} {by}.",
     "从{place}到{place2}{by}要{duration}。"},
    {{"contact", "future"},
     "{who} will {contact} {other.object} {future}.",
     "{who}{future}会给{other}{contact}。"},

    // The past: 了, 过, 没.
    {{"do", "past"},
     "{who} did not {do} {past}.",
     "{who}{past}没{do}。"},
    {{"do", "duration"},
     "{who} {do.ed} for {duration} {past}.",
     "{who}{past}{do.verb}了{duration}{do.object}。"},
    {{"number", "thing"},
     "{who} {verb.ed} {number} {thing.plural} {past}.",
     "{who}{past}{verb}了{number}{thing.measure}{thing}。"},
    {{"thing", "other"},
     "{who} {gift.ed} a {thing} for {other.object} {past}.",
     "{who}{past}给{other}{gift}了一{thing.measure}{thing}。"},
    {{"who", "done"},
     "{who} [have|has] never {done}.",
     "{who}从来没{done.verb}过{done.object}。"},

    // 把 takes the object before the verb.
    {{"who", "thing"},
     "{who} [have|has] already {finish.en} {this} {thing}.",
     "{who}已经把{this}{thing.measure}{thing}{finish}了。"},
    {{"small", "spot"},
     "{request} put the {small} {spot}.",
     "{request}把{small}放在{spot}。"},
    {{"request", "do"},
     "{request} {do} {where.in}.",
     "{request}在{where}{do}。"},

    // Measure words, colours, 的 before its noun.
    {{"style", "thing"},
     "{who} [want|wants] to buy a {style} {thing}.",
     "{who}想买一{thing.measure}{style}{thing}。"},
    {{"number", "serving"},
     "{who} would like {number} {serving.plural}.",
     "{who}想要{number}{serving.measure}{serving}。"},
    {{"number", "small"},
     "There are {number} {small.plural} {spot}.",
     "{spot}有{number}{small.measure}{small}。"},
    {{"person", "hall"},
     "There are {number} {person.plural} {hall}.",
     "{hall}有{number}{person.measure}{person}。"},
    {{"who", "thing"},
     "The {thing} that {who} {get.ed} {past} is {degree} {quality}.",
     "{who}{past}{get}的{thing}{degree.before}{quality}{degree.after}。"},
    {{"thing", "other"},
     "{this} {thing} {belong.s} to {other.object}.",
     "{this}{thing.measure}{thing}{belong}{other}的。"},
    {{"thing", "degree"},
     "{this} {thing} is {degree} {quality}.",
     "{this}{thing.measure}{thing}{degree.before}{quality}{degree.after}。"},

    // Comparisons with 比, and how something is done with 得.
    {{"quality", "thing"},
     "{this} {thing} is {quality.er} than the one that {who} {get.ed}.",
     "{this}{thing.measure}{thing}比{who}{get}的那{thing.measure}{quality}。"},
    {{"peer", "gap"},
     "{peer} {peer.be} {number} {gap} than {peer2.object}.",
     "{peer}比{peer2}{gap}{number}{gap.unit}。"},
    {{"who", "skill"},
     "{who} [{skill}|{skill.s}] {manner}.",
     "{who}{skill}{skill.verb}得{manner}。"},
    {{"skill", "rank"},
     "{who} [{skill}|{skill.s}] {rank} {other.object}.",
     "{who}{skill}{skill.verb}得{rank.before}{other}{rank.after}。"},

    // Questions keep the order of statements.
    {{"asked", "do"},
     "[Do|Does] {asked} want to {do} {where.in} {future}?",
     "{asked}{future}想在{where}{do}吗？"},
    {{"asked", "done"},
     "[Have|Has] {asked} ever {done}?",
     "{asked}{done.verb}过{done.object}吗？"},
    {{"place", "place2"},
     "Is there a {place} near the {place2}?",
     "{place2}附近有{place}吗？"},
    {{"asked", "thing"},
     "{wh} did {asked} {get} {this} {thing}?",
     "{asked}是{wh}{get}{this}{thing.measure}{thing}的？"},
    {{"asked", "thing"},
     "How many {thing.plural} did {asked} {verb} {past}?",
     "{asked}{past}{verb}了几{thing.measure}{thing}？"},
    {{"asked", "do"},
     "When will {asked} go to the {place} to {do}?",
     "{asked}什么时候去{place}{do}？"},

    // Clauses.
    {{"do", "weather"},
     "{short} did not {do} {past} because {weather.past}.",
     "因为{past}{weather}，所以{short}没{do}。"},
    {{"weather", "future"},
     "If {weather} {future}, {short} will not {do}.",
     "如果{future}{weather}，{short}就不{do}了。"},
    {{"do", "do2"},
     "{who} [want|wants] to {do} first and then {do2}.",
     "{who}想先{do}再{do2}。"},
    {{"who", "chore"},
     "{who} often [{background}|{background.s}] while {chore.ing}.",
     "{who}常常一边{chore}一边{background}。"},
    {{"other", "do"},
     "{short} {short.was} {do.ing} when {other} {event.ed}.",
     "{other}{event}的时候，{short}正在{do}。"},
};
// clang-format on

constexpr std::array per_pattern{220, 8, 13};  // train, valid, test
constexpr int rounds_per_pattern = 500, candidates_per_round = 20;

// Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

  std::size_t below(std::size_t bound) {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<std::size_t>((z ^ (z >> 31)) % bound);
  }

 private:
  std::uint64_t state_;
};

// "{do.ing}" names the slot "do" and the form "ing".
struct Slot {
  std::string_view name, form;
};

// The pieces of a pattern's side: literal text before each slot, and after the last one.
template <typename OnText, typename OnSlot>
void visit(std::string_view side, OnText on_text, OnSlot on_slot) {
  while (!side.empty()) {
    const auto open = std::min(side.find('{'), side.size());
    on_text(side.substr(0, open));
    if (open == side.size()) return;
    const auto close = side.find('}', open);
    const auto inside = side.substr(open + 1, close - open - 1);
    const auto point = std::min(inside.find('.'), inside.size());
    on_slot(Slot{inside.substr(0, point),
                 point < inside.size() ? inside.substr(point + 1) : std::string_view()});
    side.remove_prefix(close + 1);
  }
}

using Filling = std::map<std::string_view, const Word*>;  // the word of each slot

// Whether two words are the same person or thing.
bool same(const Word& word, const Word& other) {
  const auto identity = [](const Word& w) -> const std::string& {
    const auto found = w.find("same");
    return found == w.end() ? w.at("en") : found->second;
  };
  return identity(word) == identity(other);
}

// Whether `other`, of that category, is of a kind that `word` goes with.
bool goes_with(const Word& word, std::string_view category, const Word& other) {
  const auto kinds = word.find("for " + std::string(category));
  if (kinds == word.end()) return true;
  return (" " + kinds->second + " ").find(" " + other.at("kind") + " ") != std::string::npos;
}

bool makes_sense(const Filling& filling) {
  for (const auto& [slot, word] : filling)
    for (const auto& [other_slot, other] : filling)
      if (slot != other_slot && (same(*word, *other) || !goes_with(*word, other_slot, *other)))
        return false;
  return true;
}

// Chooses between the two sides of each "[plain|third person singular]".
std::string conjugated(std::string_view side, bool third_person) {
  std::string sentence(side);
  for (auto open = sentence.find('['); open != std::string::npos; open = sentence.find('[')) {
    const auto bar = sentence.find('|', open), close = sentence.find(']', open);
    const auto chosen = third_person ? sentence.substr(bar + 1, close - bar - 1)
                                     : sentence.substr(open + 1, bar - open - 1);
    sentence.replace(open, close + 1 - open, chosen);
  }
  return sentence;
}

template <typename Form>
std::string filled(std::string_view side, const Filling& filling, Form form) {
  std::string sentence;
  visit(
      side, [&](std::string_view text) { sentence += text; },
      [&](Slot slot) { sentence += form(*filling.at(slot.name), slot.form); });
  return sentence;
}

// "a orange" -> "an orange", and a capital at the beginning.
std::string spelled(std::string sentence) {
  for (auto at = sentence.find(" a "); at != std::string::npos; at = sentence.find(" a ", at + 1))
    if (std::string_view("aeiou").find(sentence[at + 3]) != std::string_view::npos)
      sentence.insert(at + 2, "n");
  if ('a' <= sentence.front() && sentence.front() <= 'z') sentence.front() += 'A' - 'a';
  return sentence;
}

Pair translate(const Pattern& pattern, const Filling& filling) {
  bool third_person = false;  // of the subject
  for (std::string_view subject : {"who", "short", "asked"})
    if (filling.contains(subject)) third_person = filling.at(subject)->at("be") == "is";
  return {spelled(filled(conjugated(pattern.english, third_person), filling, english_form)),
          filled(pattern.chinese, filling, chinese_form)};
}

enum Part { train, valid, test };

struct Candidate {
  Derivation derivation;
  Part part;
};

// A random sentence of the pattern, unless its words do not go together.
std::optional<Candidate> draw(const Pattern& pattern, SplitMix64& random) {
  Filling filling;
  std::map<std::string_view, std::size_t> index;
  visit(
      pattern.english, [](auto) {},
      [&](Slot slot) {
        if (filling.contains(slot.name)) return;
        const auto& choice = words(slot.name);
        filling[slot.name] = &choice[index[slot.name] = random.below(choice.size())];
      });
  if (!makes_sense(filling)) return std::nullopt;
  // Stripes through the square of all pairs of fillers: most of each row and column is `train`.
  const auto [first, second] = pattern.held_out;
  const auto stripe = (3 * index.at(first) + index.at(second)) % 10;
  const Part part = stripe == 0 ? test : stripe == 5 ? valid : train;
  return Candidate{{translate(pattern, filling), std::string(pattern.english),
                    filling.at(first)->at("en") + " + " + filling.at(second)->at("en")},
                   part};
}

class Sampler {
 public:
  // Adds sentences of a pattern until each part has its share, or the pattern has no more. Of some
  // candidates for `train` it takes the one with the rarest word, so that no word stays rare.
  void sample(const Pattern& pattern, std::uint64_t seed) {
    SplitMix64 random(seed);
    std::array<int, 3> wanted = per_pattern;
    for (int round = 0; round < rounds_per_pattern && wanted != std::array{0, 0, 0}; ++round) {
      std::optional<Candidate> best;
      int least = std::numeric_limits<int>::max();
      for (int i = 0; i < candidates_per_round; ++i) {
        auto next = draw(pattern, random);
        if (!next || wanted[next->part] == 0 || !is_new(next->derivation.pair)) continue;
        const int count = next->part == train ? rarest(next->derivation.pair) : 0;
        if (!best || count < least) best = std::move(next), least = count;
      }
      if (!best) continue;
      --wanted[best->part];
      add(*best);
    }
  }

  DerivedCorpus shuffled() && {
    SplitMix64 random(0);
    for (auto& part : parts_)
      for (std::size_t i = part.size(); i > 1; --i) std::swap(part[i - 1], part[random.below(i)]);
    return {std::move(parts_[train]), std::move(parts_[valid]), std::move(parts_[test])};
  }

 private:
  bool is_new(const Pair& pair) const {
    return !english_.contains(pair.source) && !chinese_.contains(pair.target);
  }

  static std::vector<std::string> words_and_characters(const Pair& pair) {
    auto result = tokens(pair.source, Unit::words);
    for (auto& character : tokens(pair.target, Unit::characters)) result.push_back(character);
    return result;
  }

  // How often the rarest word or character of the pair stands in `train`.
  int rarest(const Pair& pair) const {
    int least = std::numeric_limits<int>::max();
    for (const std::string& token : words_and_characters(pair)) {
      const auto found = count_.find(token);
      least = std::min(least, found == count_.end() ? 0 : found->second);
    }
    return least;
  }

  void add(const Candidate& candidate) {
    const Pair& pair = candidate.derivation.pair;
    english_.insert(pair.source);
    chinese_.insert(pair.target);
    if (candidate.part == train)
      for (const std::string& token : words_and_characters(pair)) ++count_[token];
    parts_[candidate.part].push_back(candidate.derivation);
  }

  std::array<std::vector<Derivation>, 3> parts_;
  std::unordered_set<std::string> english_, chinese_;
  std::unordered_map<std::string, int> count_;
};

std::vector<Pair> pairs(const std::vector<Derivation>& derivations) {
  std::vector<Pair> result;
  for (const Derivation& derivation : derivations) result.push_back(derivation.pair);
  return result;
}

}  // namespace

DerivedCorpus derive_corpus() {
  Sampler sampler;
  std::uint64_t seed = 0;
  for (const Pattern& pattern : patterns) sampler.sample(pattern, ++seed);
  return std::move(sampler).shuffled();
}

Corpus embedded_corpus() {
  const DerivedCorpus derived = derive_corpus();
  return {pairs(derived.train), pairs(derived.valid), pairs(derived.test)};
}

}  // namespace gradus::translate
