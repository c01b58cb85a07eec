#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "examples/training/subwords.h"
#include "examples/training/text.h"

namespace gradus::training {

/// The tokens that every vocabulary begins with: `<pad>`, `<bos>`, `<eos>`, `<unk>`.
inline constexpr std::int64_t pad_id = 0, bos_id = 1, eos_id = 2, unk_id = 3;

/// The tokens that a model knows, numbered from 0; after the four specials by falling count, then
/// by code point.
class Vocabulary {
 public:
  /// The tokens that occur at least `min_count` times in `sentences`.
  /// Throws std::invalid_argument if there are none.
  Vocabulary(const std::vector<std::vector<std::string>>& sentences, Unit unit,
             std::int64_t min_count = 2);

  /// The pieces of words that were found in a text, and their ids.
  explicit Vocabulary(Subwords subwords);

  /// The same of texts, split into tokens by the unit, which is not that of subwords.
  static Vocabulary of_texts(const std::vector<std::string>& texts, Unit unit,
                             std::int64_t min_count = 2);

  /// Reads what `to_json` wrote. Throws std::invalid_argument if it is something else.
  static Vocabulary from_json(std::string_view json);

  /// {"unit": "words", "characters" or "code points", "tokens": [...]}, or {"unit": "subwords",
  /// "lower case": …, "model": the serialised model in hexadecimal digits}
  std::string to_json() const;

  Unit unit() const { return unit_; }
  std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }

  /// The id of a token, unk_id if it is unknown.
  std::int64_t id(const std::string& token) const;

  /// Throws std::out_of_range unless 0 ≤ id < size().
  const std::string& token(std::int64_t id) const;

  /// The tokens of a text, known and unknown ones.
  std::vector<std::string> tokens(std::string_view text) const;

  /// Whether its tokens are in lower case whatever the text's case was.
  bool lower_case() const { return subwords_ ? subwords_->lower_case() : unit_ == Unit::words; }

  /// One id per token, without `<bos>` and `<eos>`.
  std::vector<std::int64_t> encode(const std::vector<std::string>& tokens) const;

  /// The same for text, split into tokens by the vocabulary's unit.
  /// With a generator, subwords are other ones each time; see Subwords::encode().
  std::vector<std::int64_t> encode_text(std::string_view text, double subword_dropout = 0,
                                        Generator* generator = nullptr) const;

  /// The tokens before the first `<eos>`, without `<bos>` and `<pad>`.
  std::vector<std::string> decode(const std::vector<std::int64_t>& ids) const;

  /// The same as text.
  std::string decode_text(const std::vector<std::int64_t>& ids) const;

 private:
  Vocabulary(Unit unit, std::vector<std::string> tokens);

  Unit unit_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, std::int64_t> ids_;
  std::optional<Subwords> subwords_;
};

}  // namespace gradus::training
