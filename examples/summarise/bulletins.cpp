#include "examples/summarise/bulletins.h"

#include <fmt/format.h>

#include <map>
#include <set>

namespace gradus::summarise {

namespace {

using Texts = std::vector<std::string>;

/// A capital letter in braces stands for a name, a small one for a number. One of the wordings of
/// each sentence is drawn.
struct Kind {
  std::vector<Texts> sentences;
  std::string headline;
};

const std::vector<Kind> kinds{
    {{{"The final in {T} was played before {n} people.", "{n} people came to {T} for the final."},
      {"{B} led at the break.", "{B} had the better start."},
      {"But then {A} beat {B} in the last minute.", "In the end {B} lost to {A}.",
       "{A} came back and won."}},
     "{A} beats {B} before {n} people in {T}"},
    {{{"A fire broke out in {T} last night.", "Last night a mill in {T} was on fire."},
      {"{A}, a baker, saw the smoke.", "It was {A}, a teacher, who saw the smoke."},
      {"{n} people had to leave their homes.", "The police took {n} people out of their homes."}},
     "{n} people flee fire in {T}, seen by {A}"},
    {{{"Snow has closed the road from {A} to {B}.", "The road from {A} to {B} is under snow."},
      {"{n} drivers spent the night in their cars.", "In their cars {n} drivers wait for help."},
      {"Those who want to go to {B} can go by way of {C}.", "A way round leads through {C}."}},
     "snow closes road from {A} to {B}, {n} drivers wait"},
    {{{"The town of {T} has voted.", "The votes of {T} have been counted."},
      {"{A} has {n} of them.", "{n} people were for {A}."},
      {"{B} got no more than {m}.", "That is more than the {m} of {B}."},
      {"The winner will begin in spring.", "There will be music on the square."}},
     "{A} wins vote in {T} with {n} to {m} for {B}"},
    {{{"There is news from {C}, the maker of clocks.", "The bank {C} told its {n} workers today."},
      {"{A} leaves after many years.", "After a long quarrel {A} is to go."},
      {"The new head will be {B}.", "{B} takes over, it says."}},
     "{B} follows {A} as head of {C}"}};

/// Followed by what those did who are thanked.
const Kind helpers{{{"The town of {Z} thanks its helpers.", "There was a feast in {Z} yesterday."}},
                   "{Z} thanks"};
const Texts deeds{" mended the bridge.",    " carried water.",          " cooked for {n} people.",
                  " found the lost child.", " kept the children warm.", " drove all night."};

const Texts asides{"{X} said that there had been nothing like it since the war.",
                   "The weather in {X} stays cold.",
                   "In {X} the shops are closed today.",
                   "{X} and {Y} did not want to say anything.",
                   "The police of {X} ask for patience.",
                   "It was the talk of the day in {X}.",
                   "More than {x} letters have come in."};

std::string listed(const Texts& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 < names.size() ? ", " : " and ";
    text += names[i];
  }
  return text;
}

/// One bulletin while it is written.
class Writer {
 public:
  Writer(bool held_out, Generator& generator) : held_out_(held_out), generator_(generator) {}

  Article write() {
    const auto kind = static_cast<size_t>(generator_.below(std::ssize(kinds) + 2));
    const bool thanks = kind >= kinds.size();
    const Kind& chosen = thanks ? helpers : kinds[kind];
    Texts lines;
    std::string headline = chosen.headline;
    for (const Texts& wordings : chosen.sentences) lines.push_back(one_of(wordings));
    if (thanks) {
      const std::vector<int64_t> order = generator_.permutation(std::ssize(deeds));
      const int64_t sentences = 2 + generator_.below(4);
      Texts names;
      for (int64_t i = 0; i < sentences; ++i) {
        Texts some;
        for (int64_t count = 1 + generator_.below(3); count > 0; --count)
          some.push_back(
              fmt::format("{{{}}}", static_cast<char>('A' + names.size() + some.size())));
        lines.push_back(listed(some) + deeds[size_t(order[size_t(i)])]);
        names.insert(names.end(), some.begin(), some.end());
      }
      headline += ' ' + listed(names);
    }
    if (std::ssize(lines) < 6 && generator_.below(3) > 0) {
      const auto place = lines.begin() + generator_.below(std::ssize(lines) + 1);
      lines.insert(place, one_of(asides));
    }
    Article article;
    for (const std::string& line : lines) {
      if (!article.text.empty()) article.text += ' ';
      article.text += filled(line);
    }
    article.summary = filled(headline);
    return article;
  }

 private:
  const std::string& one_of(const Texts& texts) {
    return texts[static_cast<size_t>(generator_.below(std::ssize(texts)))];
  }

  std::string filled(const std::string& text) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i)
      if (text[i] != '{')
        result += text[i];
      else
        result += value_of(text[i + 1]), i += 2;
    return result;
  }
  const std::string& value_of(char slot) {
    std::string& value = values_[slot];
    if (!value.empty()) return value;
    do value = slot >= 'a' ? number() : name();
    while (!used_.insert(value).second);
    return value;
  }

  std::string number() { return fmt::format("{}", 1000 + 2 * generator_.below(4500) + held_out_); }
  /// Its syllables have an even sum of places in these lists, or an odd one in held-out bulletins.
  std::string name() {
    static const Texts parts[] = {
        {"B", "D", "F", "G", "H", "J", "K", "L", "M", "N", "P", "R", "S", "T", "V", "Br", "Gr"},
        {"a", "e", "i", "o", "u", "ai", "ei", "au"},
        {"l", "r", "n", "m", "v", "d", "k", "st", "nd", "rt"},
        {"a", "e", "i", "o", "u"},
        {"n", "s", "r", "x", "l", "v", "th", "sk", "m", "nt"}};
    std::string result;
    int64_t sum = 0;
    for (const Texts& part : parts) {
      int64_t place = generator_.below(std::ssize(part));
      if (&part == std::end(parts) - 1) place = place / 2 * 2 + (sum + held_out_) % 2;
      sum += place;
      result += part[static_cast<size_t>(place)];
    }
    return result;
  }

  bool held_out_;
  Generator& generator_;
  std::map<char, std::string> values_;
  std::set<std::string> used_;
};

}  // namespace

std::vector<Article> draw_bulletins(int64_t count, bool held_out, Generator& generator) {
  std::vector<Article> articles;
  while (std::ssize(articles) < count) articles.push_back(Writer(held_out, generator).write());
  return articles;
}

}  // namespace gradus::summarise
