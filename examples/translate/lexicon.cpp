#include "examples/translate/lexicon.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "core/ops/movement.h"
#include "examples/translate/lexicon_tables.h"

namespace gradus::translate {
namespace {

// Base, past, past participle. None of the patterns asks for any other irregular form.
constexpr std::string_view irregular_verbs[][3] = {
    {"buy", "bought", "bought"},  {"choose", "chose", "chosen"}, {"come", "came", "come"},
    {"draw", "drew", "drawn"},    {"drink", "drank", "drunk"},   {"eat", "ate", "eaten"},
    {"fall", "fell", "fallen"},   {"find", "found", "found"},    {"leave", "left", "left"},
    {"lose", "lost", "lost"},     {"read", "read", "read"},      {"run", "ran", "run"},
    {"sell", "sold", "sold"},     {"sing", "sang", "sung"},      {"take", "took", "taken"},
    {"throw", "threw", "thrown"}, {"wake", "woke", "woken"},     {"write", "wrote", "written"}};

constexpr std::string_view irregular_plurals[][2] = {
    {"child", "children"}, {"fish", "fish"}, {"knife", "knives"}, {"scarf", "scarves"}};

bool vowel(char c) { return std::string_view("aeiou").find(c) != std::string_view::npos; }

bool ends_in_consonant_y(std::string_view word) {
  return word.size() > 1 && word.back() == 'y' && !vowel(word[word.size() - 2]);
}

// run, swim, chat: one vowel, then one consonant that is doubled before -ing and -ed.
bool doubles_last_letter(std::string_view word) {
  const auto size = word.size();
  return size > 2 && std::ranges::count_if(word, vowel) == 1 && vowel(word[size - 2]) &&
         std::string_view("wxy").find(word.back()) == std::string_view::npos;
}

// The -s of he watches and of two watches.
std::string with_s(std::string word) {
  if (ends_in_consonant_y(word)) return word.replace(word.size() - 1, 1, "ies");
  for (std::string_view hiss : {"s", "x", "ch", "sh", "do", "go"})
    if (word.ends_with(hiss)) return word + "es";
  return word + "s";
}

std::string with_ed(std::string word) {
  if (ends_in_consonant_y(word)) return word.replace(word.size() - 1, 1, "ied");
  if (word.ends_with("e")) return word + "d";
  return doubles_last_letter(word) ? word + word.back() + "ed" : word + "ed";
}

std::string with_ing(std::string word) {
  if (word.ends_with("e") && !word.ends_with("ee")) return word.replace(word.size() - 1, 1, "ing");
  return doubles_last_letter(word) ? word + word.back() + "ing" : word + "ing";
}

std::string plural(const std::string& noun) {
  for (const auto& [singular, plural] : irregular_plurals)
    if (noun == singular) return std::string(plural);
  return with_s(noun);
}

std::string inflect(const std::string& verb, std::string_view form) {
  if (form == "s") return with_s(verb);
  if (form == "ing") return with_ing(verb);
  for (const auto& [base, past, participle] : irregular_verbs)
    if (verb == base) return std::string(form == "ed" ? past : participle);
  return with_ed(verb);
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(' ') + 1 - first));
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    if (separator != ' ' || !part.empty()) parts.push_back(trimmed(part));
  return parts;
}

using Lexicon = std::map<std::string, std::vector<Word>, std::less<>>;

Lexicon read_tables() {
  Lexicon lexicon;
  std::map<std::string, std::vector<std::string>> unions;
  std::string category;
  std::vector<std::string> columns;
  for (const std::string& line : split(std::string(lexicon_tables), '\n')) {
    if (line.empty()) continue;
    if (line.front() != '[') {
      const auto cells = split(line, '|');
      Word word{{"kind", category}};
      for (std::size_t i = 0; i < columns.size(); ++i)
        word[columns[i]] = i < cells.size() ? cells[i] : "";
      lexicon[category].push_back(word);
      continue;
    }
    const auto close = line.find(']');
    category = line.substr(1, close - 1);
    const std::string rest = trimmed(std::string_view(line).substr(close + 1));
    if (rest.front() == '=')
      unions[category] = split(rest.substr(1), ' ');
    else
      columns = split(rest, '|');
  }
  for (const auto& [name, members] : unions)
    for (const std::string& member : members)
      for (const Word& word : lexicon.at(member)) lexicon[name].push_back(word);
  return lexicon;
}

const std::string& cell(const Word& word, std::string_view column) {
  const auto found = word.find(column);
  if (found == word.end())
    throw std::invalid_argument("lexicon: \"" + word.at("en") + "\" has no column \"" +
                                std::string(column) + "\"");
  return found->second;
}

}  // namespace

const std::vector<Word>& words(std::string_view category) {
  static const Lexicon lexicon = read_tables();
  const auto name = category.substr(0, category.find_last_not_of("0123456789") + 1);
  const auto found = lexicon.find(name);
  if (found == lexicon.end())
    throw std::invalid_argument("lexicon: no category \"" + std::string(name) + "\"");
  return found->second;
}

std::string english_form(const Word& word, std::string_view form) {
  const std::string& en = word.at("en");
  if (form.empty() || (form == "object" && !word.contains("object"))) return en;
  if (form == "plural") {
    const auto head = std::min(en.find(" of "), en.size());
    return plural(en.substr(0, head)) + en.substr(head);
  }
  if (form == "s" || form == "ed" || form == "en" || form == "ing") {
    const auto head = std::min(en.find(' '), en.size());
    return inflect(en.substr(0, head), form) + en.substr(head);
  }
  return cell(word, form);
}

std::string chinese_form(const Word& word, std::string_view form) {
  if (!form.empty() && form != "verb" && form != "object") return cell(word, form);
  const std::string& zh = cell(word, "zh");
  const auto space = std::min(zh.find(' '), zh.size());
  const std::string verb = zh.substr(0, space);
  const std::string object = space < zh.size() ? zh.substr(space + 1) : "";
  return form.empty() ? verb + object : form == "verb" ? verb : object;
}

}  // namespace gradus::translate
