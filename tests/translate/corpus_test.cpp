#include "examples/translate/corpus.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/training/text.h"
#include "examples/translate/lexicon.h"
#include "tests/files.h"

using namespace gradus::testing;
using namespace gradus::translate;

namespace {

const DerivedCorpus& corpus() {
  static const DerivedCorpus derived = derive_corpus();
  return derived;
}

const std::vector<const std::vector<Derivation>*>& parts() {
  static const std::vector<const std::vector<Derivation>*> all{&corpus().train, &corpus().valid,
                                                               &corpus().test};
  return all;
}

template <typename Check>
void for_each_pair(Check check) {
  for (const auto* part : parts())
    for (const Derivation& derivation : *part) check(derivation.pair);
}

// 64-bit FNV-1a.
std::uint64_t checksum(const Corpus& corpus) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const auto* part : {&corpus.train, &corpus.valid, &corpus.test})
    for (const Pair& pair : *part)
      for (unsigned char byte : pair.source + '\t' + pair.target + '\n')
        hash = (hash ^ byte) * 0x100000001b3u;
  return hash;
}

}  // namespace

TEST_CASE("the embedded corpus has over 8,000 pairs to learn from and 800 held out") {
  const Corpus embedded = embedded_corpus();
  CHECK(embedded.train.size() >= 8'000);
  CHECK(embedded.valid.size() >= 300);
  CHECK(embedded.test.size() >= 500);
}

TEST_CASE("no sentence of either language stands twice in the embedded corpus") {
  std::set<std::string> english, chinese;
  for_each_pair([&](const Pair& pair) {
    INFO(pair.source);
    CHECK(english.insert(pair.source).second);
    CHECK(chinese.insert(pair.target).second);
  });
}

TEST_CASE("the embedded corpus is the same at every call and on every machine") {
  const auto first = checksum(embedded_corpus());
  CHECK(checksum(embedded_corpus()) == first);
  CHECK(first == 4286593465448357986u);
}

TEST_CASE("held-out combinations of words stand in one part only") {
  std::map<std::pair<std::string, std::string>, const std::vector<Derivation>*> part_of;
  for (const auto* part : parts())
    for (const Derivation& derivation : *part) {
      const auto [first, is_new] =
          part_of.insert({{derivation.pattern, derivation.combination}, part});
      INFO(derivation.pattern << ": " << derivation.combination);
      CHECK((is_new || first->second == part));
    }
}

TEST_CASE("what belongs to whom in test is told nowhere in train") {
  // Read from the sentences themselves, so that a wrong derivation would not hide a leak.
  const auto owned_things = [](const std::vector<Derivation>& part) {
    std::set<std::string> owned;
    for (const Derivation& derivation : part) {
      const std::string& english = derivation.pair.source;  // This hat does not belong to Tom.
      if (!contains(english, " belong")) continue;
      const auto thing = english.find(' ') + 1;
      owned.insert(english.substr(thing, english.find(' ', thing) - thing) +
                   english.substr(english.find(" to ")));
    }
    return owned;
  };
  const auto train = owned_things(corpus().train), test = owned_things(corpus().test);
  REQUIRE(!test.empty());
  for (const std::string& owned : test) CHECK_FALSE(train.contains(owned));
}

TEST_CASE("every word and character of the held-out pairs stands in 15 sentences of train") {
  std::map<std::string, int> words_in_train, characters_in_train;
  const auto distinct = [](std::string_view text, Unit unit) {
    const auto all = tokens(text, unit);
    return std::set<std::string>(all.begin(), all.end());
  };
  for (const Derivation& derivation : corpus().train) {
    for (const auto& word : distinct(derivation.pair.source, Unit::words)) ++words_in_train[word];
    for (const auto& character : distinct(derivation.pair.target, Unit::characters))
      ++characters_in_train[character];
  }
  for (const auto* part : {&corpus().valid, &corpus().test})
    for (const Derivation& derivation : *part) {
      INFO(derivation.pair.source << " " << derivation.pair.target);
      for (const auto& word : distinct(derivation.pair.source, Unit::words))
        CHECK(words_in_train[word] >= 15);
      for (const auto& character : distinct(derivation.pair.target, Unit::characters))
        CHECK(characters_in_train[character] >= 15);
    }
}

TEST_CASE("no pattern makes over five per cent of the pairs, and each is held out too") {
  std::map<std::string, std::size_t> in_train, in_valid, in_test;
  for (const Derivation& derivation : corpus().train) ++in_train[derivation.pattern];
  for (const Derivation& derivation : corpus().valid) ++in_valid[derivation.pattern];
  for (const Derivation& derivation : corpus().test) ++in_test[derivation.pattern];
  for (const auto& entry : in_train) {
    const std::string& pattern = entry.first;
    const std::size_t count = entry.second;
    INFO(pattern);
    CHECK(count >= 100);
    CHECK(count * 20 <= corpus().train.size());
    CHECK(in_valid[pattern] >= 5);
    CHECK(in_test[pattern] >= 10);
  }
}

TEST_CASE("sentences are short: 15 English tokens, 21 Chinese characters") {
  for_each_pair([](const Pair& pair) {
    INFO(pair.source << " " << pair.target);
    CHECK(tokens(pair.source, Unit::words).size() <= 15);
    CHECK(tokens(pair.target, Unit::characters).size() <= 21);
  });
}

TEST_CASE("Chinese is Han and full-width punctuation, and ends with a full stop or question mark") {
  for_each_pair([](const Pair& pair) {
    const std::u32string target = code_points(pair.target);
    INFO(pair.target);
    CHECK(std::ranges::all_of(target, [](char32_t c) {
      return (c >= U'\u4e00' && c <= U'\u9fff') || c == U'，' || c == U'。' || c == U'？';
    }));
    CHECK((target.back() == U'。' || target.back() == U'？'));
    CHECK((target.back() == U'？') == (pair.source.back() == '?'));
  });
}

TEST_CASE("English begins with a capital, is plain ASCII and leaves nothing of its pattern") {
  for_each_pair([](const Pair& pair) {
    INFO(pair.source);
    CHECK((pair.source.front() >= 'A' && pair.source.front() <= 'Z'));
    CHECK((pair.source.back() == '.' || pair.source.back() == '?'));
    CHECK(pair.source.find_first_not_of(
              "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ,.?") == std::string::npos);
    for (std::string_view wrong :
         {"  ", " a a", " a e", " a i", " a o", " a u", "I is ", "he are "})
      CHECK(pair.source.find(wrong) == std::string::npos);
  });
}

TEST_CASE("an English construction has its Chinese one") {
  // Every sentence with `english` holds all of `chinese` and none of `never`.
  struct Construction {
    std::string_view english;
    std::vector<std::string_view> chinese, never;
  };
  const Construction constructions[] = {
      {"Is there ", {"附近有", "吗？"}, {"。"}},
      {"Have ", {"过", "吗？"}, {"没"}},
      {" never been", {"从来没去过"}, {"不", "吗"}},
      {" never works in the bank", {"从来不在银行工作。"}, {"没"}},
      {"How many ", {"了几", "？"}, {"吗"}},
      {"Where did ", {"是在哪儿", "的？"}, {"吗", "了"}},
      {"When will ", {"什么时候去", "？"}, {"吗", "了"}},
      {" than ", {"比"}, {"很", "太"}},
      {" much better than ", {"得比", "好得多"}, {"很"}},
      {" as well as ", {"得和", "一样好"}, {"比"}},
      {" while ", {"常常一边"}, {"正在"}},
      {" first and then ", {"想先", "再"}, {"了"}},
      {" because ", {"因为", "，所以", "没"}, {"如果"}},
      {"If ", {"如果", "，", "就不", "了。"}, {"没"}},
      {" did not take a walk last night.", {"昨天晚上没散步。"}, {"不", "了"}},
      {" does not like to ", {"不喜欢在"}, {"没"}},
      {" has already ", {"已经把", "了。"}, {"没"}},
      {"Please put ", {"请把", "放在"}, {"别"}},
      {"Do not put ", {"别把", "放在"}, {"请", "不"}},
      {" is too ", {"太", "了。"}, {"很"}},
      {" is very ", {"很"}, {"太"}},
      {" when ", {"的时候，", "正在"}, {"吗"}},
      {" for half an hour ", {"了半个小时"}, {"正在"}},
      {"It takes ", {"从", "到", "要"}, {"了"}},
      {" will call ", {"会给", "打电话。"}, {"要"}},
      {" going to ", {"要在"}, {"会"}},
      {" for me ", {"给我"}, {"吗"}},
      {" an ", {}, {"两", "几"}},
      {" two ", {"两"}, {"二"}},
      {"twenty ", {"二十"}, {"两"}},
      {"She ", {"她"}, {}},
      {"He ", {"他"}, {}},
      {" pairs of shoes", {"双鞋"}, {}},
      {" cups of tea", {"杯茶"}, {}},
      {" knives ", {"把刀"}, {}},
      {" horses ", {"匹马"}, {}},
      {" dictionaries ", {"本词典"}, {}},
      {" scarves ", {"条围巾"}, {}},
      {" children ", {"个孩子"}, {}},
      {" teachers ", {"位老师"}, {"个老师"}},
      {" red skirt", {"红色的裙子"}, {}},
      {"The skirt that ", {"的裙子"}, {"那"}},
  };
  for (const Construction& construction : constructions) {
    const auto& english = construction.english;
    const auto& chinese = construction.chinese;
    const auto& never = construction.never;
    int count = 0;
    for_each_pair([&](const Pair& pair) {
      if (!contains(pair.source, english)) return;
      ++count;
      INFO(pair.source << " " << pair.target);
      for (std::string_view part : chinese) CHECK(contains(pair.target, part));
      for (std::string_view part : never) CHECK_FALSE(contains(pair.target, part));
    });
    INFO(english);
    CHECK(count > 0);
  }
}

TEST_CASE("English words inflect at their head") {
  const auto form = [](std::string_view category, std::string_view en, std::string_view form) {
    const auto& all = words(category);
    const auto found = std::ranges::find_if(all, [&](const Word& w) { return w.at("en") == en; });
    REQUIRE(found != all.end());
    return english_form(*found, form);
  };
  CHECK(form("do", "study Chinese", "s") == "studies Chinese");
  CHECK(form("do", "study Chinese", "ed") == "studied Chinese");
  CHECK(form("do", "watch TV", "s") == "watches TV");
  CHECK(form("do", "play chess", "s") == "plays chess");
  CHECK(form("do", "run", "ing") == "running");
  CHECK(form("do", "chat", "ed") == "chatted");
  CHECK(form("do", "read books", "ing") == "reading books");
  CHECK(form("do", "take a walk", "ing") == "taking a walk");
  CHECK(form("do", "dance", "ed") == "danced");
  CHECK(form("attitude", "do not like to", "s") == "does not like to");
  CHECK(form("finish", "throw away", "en") == "thrown away");
  CHECK(form("finish", "repair", "en") == "repaired");
  CHECK(form("event", "fall asleep", "ed") == "fell asleep");
  CHECK(form("thing", "watch", "plural") == "watches");
  CHECK(form("thing", "fish", "plural") == "fish");
  CHECK(form("serving", "glass of juice", "plural") == "glasses of juice");
  CHECK(form("who", "she", "object") == "her");
  CHECK(form("who", "Tom", "object") == "Tom");
}

TEST_CASE("Chinese verbs come apart from their objects") {
  const Word& football = words("do").front();
  CHECK(chinese_form(football, "") == "踢足球");
  CHECK(chinese_form(football, "verb") == "踢");
  CHECK(chinese_form(football, "object") == "足球");
}

TEST_CASE("an unknown category or column is named in the error") {
  CHECK_THROWS_WITH_AS(words("colour"), "lexicon: no category \"colour\"", std::invalid_argument);
  CHECK_THROWS_WITH_AS(english_form(words("number").front(), "measure"),
                       "lexicon: \"two\" has no column \"measure\"", std::invalid_argument);
}
