#include "examples/summarise/bulletins.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "examples/training/text.h"

using namespace gradus;
using namespace gradus::summarise;
using namespace gradus::training;

namespace {

std::vector<Article> draw(int64_t count, bool held_out, uint64_t seed) {
  Generator generator(seed);
  return draw_bulletins(count, held_out, generator);
}

/// How many bulletins each word occurs in.
std::map<std::string, int64_t> words_of(const std::vector<Article>& articles) {
  std::map<std::string, int64_t> counts;
  for (const Article& article : articles) {
    const auto words = tokens(article.text + ' ' + article.summary, Unit::words);
    for (const std::string& word : std::set<std::string>(words.begin(), words.end()))
      ++counts[word];
  }
  return counts;
}

}  // namespace

TEST_CASE("bulletins have three to six sentences without a slot left open") {
  std::map<int64_t, int64_t> lengths;
  for (const Article& article : draw(2000, false, 1)) {
    ++lengths[std::ranges::count(article.text, '.')];
    CHECK((article.text + article.summary).find_first_of("{}") == std::string::npos);
  }
  CHECK(lengths.begin()->first == 3);
  CHECK(lengths.rbegin()->first == 6);
}

TEST_CASE("names and numbers of a headline stand in its bulletin, and are new in held-out ones") {
  const std::vector<Article> learned = draw(4000, false, 1), unseen = draw(400, true, 2);
  const auto known = words_of(learned);
  int64_t names = 0;
  for (const Article& article : unseen) {
    const auto text = tokens(article.text, Unit::words);
    for (const std::string& word : tokens(article.summary, Unit::words))
      if (!known.contains(word)) {
        ++names;
        CHECK_MESSAGE(std::ranges::count(text, word) > 0, word);
      }
  }
  CHECK(names > 2 * 400);
  // What is a name or a number in the one is not in the other, and each is rare.
  for (const auto& entry : words_of(unseen))
    if (entry.second < 4) CHECK_MESSAGE(!known.contains(entry.first), entry.first);
  for (const auto& entry : known)
    CHECK_MESSAGE((entry.second < 10 || entry.second > 100), entry.first, entry.second);
}

TEST_CASE("bulletins depend on the seed alone") {
  const auto first = draw(50, false, 1), again = draw(50, false, 1), other = draw(50, false, 2);
  for (size_t i = 0; i < 50; ++i) {
    CHECK(first[i].text == again[i].text);
    CHECK(first[i].summary == again[i].summary);
  }
  CHECK(first[0].text != other[0].text);
}
