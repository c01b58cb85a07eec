#include "examples/training/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/files/json_check.h"
#include "core/tensor/error.h"

namespace gradus::training {
namespace {

const std::map<Unit, std::string> unit_names = {{Unit::words, "words"},
                                                {Unit::characters, "characters"},
                                                {Unit::code_points, "code points"},
                                                {Unit::subwords, "subwords"}};

const std::vector<std::string> specials = {"<pad>", "<bos>", "<eos>", "<unk>"};

std::vector<std::string> frequent(const std::vector<std::vector<std::string>>& sentences,
                                  std::int64_t min_count) {
  std::unordered_map<std::string, std::int64_t> counts;
  for (const auto& sentence : sentences)
    for (const auto& token : sentence) ++counts[token];
  for (const auto& special : specials) counts.erase(special);
  std::erase_if(counts, [&](const auto& entry) { return entry.second < min_count; });
  if (counts.empty())
    throw std::invalid_argument(fmt::format(
        "vocabulary: it would be empty: no token occurs at least {} time{} in {} "
        "sentence{}; give more text or a smaller minimum count",
        min_count, min_count == 1 ? "" : "s", sentences.size(), sentences.size() == 1 ? "" : "s"));

  auto result = specials;
  for (const auto& entry : counts) result.push_back(entry.first);
  std::sort(result.begin() + std::ssize(specials), result.end(), [&](const auto& a, const auto& b) {
    const auto count_a = counts.at(a), count_b = counts.at(b);
    return count_a != count_b ? count_a > count_b : a < b;  // UTF-8 sorts as its code points do
  });
  return result;
}

[[noreturn]] void refuse(const std::string& why) {
  throw std::invalid_argument(
      fmt::format("vocabulary: {}; expected {{\"unit\": \"words\", \"characters\" or \"code "
                  "points\", \"tokens\": [\"<pad>\", \"<bos>\", \"<eos>\", \"<unk>\", ...]}} as "
                  "to_json writes it",
                  why));
}

std::string in_hexadecimal(std::string_view bytes) {
  std::string digits;
  for (const char byte : bytes) digits += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return digits;
}

std::string from_hexadecimal(const std::string& digits) {
  std::string bytes;
  for (std::size_t at = 0; at < digits.size(); at += 2) {
    unsigned value = 0;
    const char *begin = digits.data() + at, *end = digits.data() + std::min(at + 2, digits.size());
    const auto read = std::from_chars(begin, end, value, 16);
    if (read.ec != std::errc() || read.ptr != begin + 2)
      refuse(fmt::format("digit {} of its model is not hexadecimal", at));
    bytes += static_cast<char>(value);
  }
  return bytes;
}

Vocabulary subwords_from(const nlohmann::json& json) {
  const auto model = json.value("model", nlohmann::json()),
             lower_case = json.value("lower case", nlohmann::json());
  if (!model.is_string() || !lower_case.is_boolean())
    refuse(
        "of subwords: expected {\"lower case\": true or false, \"model\": \"hexadecimal digits\"}");
  return Vocabulary(
      Subwords::read(from_hexadecimal(model.get<std::string>()), lower_case.get<bool>()));
}

}  // namespace

Vocabulary::Vocabulary(Unit unit, std::vector<std::string> tokens)
    : unit_(unit), tokens_(std::move(tokens)) {
  ids_.reserve(tokens_.size());
  for (const auto& token : tokens_)
    if (!ids_.emplace(token, std::ssize(ids_)).second)
      refuse(fmt::format("\"{}\" is listed twice", token));
}

Vocabulary::Vocabulary(const std::vector<std::vector<std::string>>& sentences, Unit unit,
                       std::int64_t min_count)
    : Vocabulary(unit, frequent(sentences, min_count)) {}

Vocabulary::Vocabulary(Subwords subwords) : Vocabulary(Unit::subwords, subwords.pieces()) {
  subwords_ = std::move(subwords);
}

Vocabulary Vocabulary::of_texts(const std::vector<std::string>& texts, Unit unit,
                                std::int64_t min_count) {
  std::vector<std::vector<std::string>> sentences;
  for (const std::string& text : texts) sentences.push_back(training::tokens(text, unit));
  return {sentences, unit, min_count};
}

Vocabulary Vocabulary::from_json(std::string_view text) {
  try {
    check_json("it", text, 2);
  } catch (const Error& error) {
    refuse(error.what());
  }
  const auto json = nlohmann::json::parse(text);
  if (!json.is_object()) refuse("this is not a JSON object");

  const auto unit = json.value("unit", nlohmann::json());
  const auto named =
      std::ranges::find_if(unit_names, [&](const auto& entry) { return unit == entry.second; });
  if (named == unit_names.end()) refuse("the unit is " + unit.dump());
  if (named->first == Unit::subwords) return subwords_from(json);

  const auto list = json.value("tokens", nlohmann::json());
  if (!list.is_array()) refuse("there is no list of tokens");
  for (const auto& token : list)
    if (!token.is_string()) refuse("a token is " + token.dump());
  auto tokens = list.get<std::vector<std::string>>();
  if (tokens.size() <= specials.size())
    refuse(fmt::format("it holds {} tokens, which leaves none beside the four specials",
                       tokens.size()));
  for (std::size_t i = 0; i < specials.size(); ++i)
    if (tokens[i] != specials[i])
      refuse(fmt::format("token {} is \"{}\" and not {}", i, tokens[i], specials[i]));
  return Vocabulary(named->first, std::move(tokens));
}

std::string Vocabulary::to_json() const {
  if (subwords_)
    return nlohmann::json{{"unit", unit_names.at(unit_)},
                          {"lower case", subwords_->lower_case()},
                          {"model", in_hexadecimal(subwords_->serialised())}}
        .dump();
  return nlohmann::json{{"unit", unit_names.at(unit_)}, {"tokens", tokens_}}.dump();
}

std::int64_t Vocabulary::id(const std::string& token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? unk_id : found->second;
}

const std::string& Vocabulary::token(std::int64_t id) const {
  if (id < 0 || id >= size())
    throw std::out_of_range(fmt::format("vocabulary: id {} is outside of [0, {})", id, size()));
  return tokens_[static_cast<std::size_t>(id)];
}

std::vector<std::int64_t> Vocabulary::encode(const std::vector<std::string>& tokens) const {
  std::vector<std::int64_t> ids;
  ids.reserve(tokens.size());
  for (const auto& token : tokens) ids.push_back(id(token));
  return ids;
}

std::vector<std::int64_t> Vocabulary::encode_text(std::string_view text, double subword_dropout,
                                                  Generator* generator) const {
  return subwords_ ? subwords_->encode(text, subword_dropout, generator) : encode(tokens(text));
}

std::vector<std::string> Vocabulary::tokens(std::string_view text) const {
  return subwords_ ? subwords_->split(text) : training::tokens(text, unit_);
}

std::vector<std::string> Vocabulary::decode(const std::vector<std::int64_t>& ids) const {
  std::vector<std::string> result;
  for (const auto id : ids) {
    if (id == eos_id) break;
    if (id != pad_id && id != bos_id) result.push_back(token(id));
  }
  return result;
}

std::string Vocabulary::decode_text(const std::vector<std::int64_t>& ids) const {
  return join(decode(ids), unit_);
}

}  // namespace gradus::training
