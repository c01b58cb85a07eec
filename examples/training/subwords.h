#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor/random.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace gradus::training {

/// How the pieces are found: by joining the most frequent pair of pieces again and again (byte-pair
/// encoding, Sennrich, Haddow, Birch 2016), or as the most probable ones of a unigram language
/// model (Kudo 2018).
enum class SubwordKind { bpe, unigram };
inline const std::map<std::string, SubwordKind> subword_kinds = {{"bpe", SubwordKind::bpe},
                                                                 {"unigram", SubwordKind::unigram}};

struct SubwordOptions {
  std::int64_t size = 8000;  ///< at most so many pieces, with the four specials
  SubwordKind kind = SubwordKind::bpe;
  std::int64_t min_count = 2;  ///< characters that occur less often are `<unk>`
  bool lower_case = false;
};

/// Pieces of words, by the library sentencepiece (Kudo & Richardson 2018). A text is read in its
/// form sentence() (text.h), and in lower case if so asked; a word's first piece begins with ▁,
/// which stands for the space before it. A run of unknown characters is one `<unk>`. The ids of
/// `<pad>`, `<bos>`, `<eos>` and `<unk>` are those of a Vocabulary. The same texts give the same
/// pieces.
class Subwords {
 public:
  /// Finds the pieces of the texts. Throws std::invalid_argument when there is no text, and when
  /// `size` leaves no room for the characters, with the number that does.
  Subwords(const std::vector<std::string>& texts, const SubwordOptions& options);
  /// Reads what serialised() gave. Throws std::invalid_argument if it is something else.
  static Subwords read(std::string serialised, bool lower_case);

  /// The pieces by their ids.
  std::vector<std::string> pieces() const;
  /// A text's pieces; unknown ones as they are written.
  std::vector<std::string> split(std::string_view text) const;
  /// The pieces' ids. In training with a generator, for other pieces each time: in each step, a
  /// possible merge is left out with probability `dropout` (BPE-dropout, Provilkov, Emelianenko,
  /// Voita 2020); of pieces that were found by BPE.
  std::vector<std::int64_t> encode(std::string_view text, double dropout = 0,
                                   Generator* generator = nullptr) const;

  bool lower_case() const { return lower_case_; }
  /// The model of sentencepiece, for a file.
  const std::string& serialised() const { return serialised_; }

 private:
  Subwords() = default;
  std::string form(std::string_view text) const;
  std::vector<std::int64_t> sampled(std::string_view text, double dropout,
                                    Generator& generator) const;
  void load();

  std::string serialised_;
  bool lower_case_ = false;
  std::shared_ptr<const sentencepiece::SentencePieceProcessor> processor_;
};

}  // namespace gradus::training
