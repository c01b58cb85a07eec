#include "examples/training/subwords.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <sstream>
#include <stdexcept>
#include <unordered_map>

#include "examples/training/text.h"
#include "examples/training/vocabulary.h"

namespace gradus::training {

namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw std::invalid_argument(fmt::format("subwords: {}", why));
}

class Sentences : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::vector<std::string>& texts) : texts_(texts) {}
  bool done() const override { return at_ == texts_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return texts_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& texts_;
  std::size_t at_ = 0;
};

/// Replaces the characters that occur less than `min_count` times by spaces; returns how many
/// different ones remain, with the ▁ before words.
std::int64_t remove_rare(std::vector<std::string>& texts, std::int64_t min_count) {
  std::unordered_map<char32_t, std::int64_t> counts;
  for (const std::string& text : texts)
    for (const char32_t c : code_points(text)) ++counts[c];
  counts.erase(U' ');
  const auto rare = std::erase_if(counts, [&](const auto& c) { return c.second < min_count; });
  if (rare > 0)
    for (std::string& text : texts) {
      std::u32string points = code_points(text);
      for (char32_t& c : points)
        if (!counts.contains(c)) c = U' ';
      text = utf8(points);
    }
  return std::ssize(counts) + 1;
}

constexpr std::int64_t specials = unk_id + 1;

}  // namespace

Subwords::Subwords(const std::vector<std::string>& texts, const SubwordOptions& options)
    : lower_case_(options.lower_case) {
  std::vector<std::string> forms;
  for (const std::string& text : texts)
    if (std::string one = form(text); !one.empty()) forms.push_back(std::move(one));
  if (forms.empty()) refuse("there is no text to find them in");
  const std::int64_t least = remove_rare(forms, options.min_count) + specials;
  if (least == specials + 1)
    refuse(fmt::format("no character occurs at least {} times in the text", options.min_count));
  if (options.size < least)
    refuse(fmt::format(
        "a vocabulary of {} has no room for the characters that occur at least {} time{}, ▁ and "
        "the {} specials; expected at least {}",
        options.size, options.min_count, options.min_count == 1 ? "" : "s", specials, least));
  const std::string kind = options.kind == SubwordKind::bpe ? "bpe" : "unigram";
  Sentences sentences(forms);
  const auto status =
      sentencepiece::SentencePieceTrainer::Train({{"model_type", kind},
                                                  {"vocab_size", std::to_string(options.size)},
                                                  {"hard_vocab_limit", "false"},
                                                  {"character_coverage", "1"},
                                                  {"normalization_rule_name", "identity"},
                                                  {"max_sentence_length", "1000000"},
                                                  {"num_threads", "1"},
                                                  {"pad_id", std::to_string(pad_id)},
                                                  {"bos_id", std::to_string(bos_id)},
                                                  {"eos_id", std::to_string(eos_id)},
                                                  {"unk_id", std::to_string(unk_id)},
                                                  {"pad_piece", "<pad>"},
                                                  {"bos_piece", "<bos>"},
                                                  {"eos_piece", "<eos>"},
                                                  {"unk_piece", "<unk>"},
                                                  {"minloglevel", "3"}},
                                                 &sentences, &serialised_);
  if (!status.ok()) refuse(status.ToString());
  load();
}

Subwords Subwords::read(std::string serialised, bool lower_case) {
  Subwords result;
  result.serialised_ = std::move(serialised);
  result.lower_case_ = lower_case;
  result.load();
  return result;
}

void Subwords::load() {
  auto processor = std::make_shared<sentencepiece::SentencePieceProcessor>();
  if (const auto status = processor->LoadFromSerializedProto(serialised_); !status.ok())
    refuse(fmt::format("not a model of sentencepiece: {}", status.ToString()));
  if (processor->pad_id() != pad_id || processor->bos_id() != bos_id ||
      processor->eos_id() != eos_id || processor->unk_id() != unk_id)
    refuse("expected <pad>, <bos>, <eos> and <unk> as the first four pieces");
  processor_ = std::move(processor);
  for (const std::string& piece : pieces())
    if (!valid_utf8(piece)) refuse("a piece is not valid UTF-8");
}

std::vector<std::string> Subwords::pieces() const {
  std::vector<std::string> result;
  for (int id = 0; id < processor_->GetPieceSize(); ++id)
    result.push_back(processor_->IdToPiece(id));
  return result;
}

std::string Subwords::form(std::string_view text) const {
  const std::string written = sentence(text);
  return lower_case_ ? in_lower_case(written) : written;
}

std::vector<std::string> Subwords::split(std::string_view text) const {
  std::vector<std::string> result;
  if (const auto status = processor_->Encode(form(text), &result); !status.ok())
    refuse(status.ToString());
  return result;
}

std::vector<std::int64_t> Subwords::encode(std::string_view text, double dropout,
                                           Generator* generator) const {
  if (generator && dropout > 0) return sampled(text, dropout, *generator);
  std::vector<int> ids;
  if (const auto status = processor_->Encode(form(text), &ids); !status.ok())
    refuse(status.ToString());
  return {ids.begin(), ids.end()};
}

// The library samples, too, but from a generator that cannot be set to a state.
std::vector<std::int64_t> Subwords::sampled(std::string_view text, double dropout,
                                            Generator& generator) const {
  std::vector<std::int64_t> ids;
  std::istringstream words(form(text));
  for (std::string word; words >> word;) {
    std::vector<std::string> pieces{"▁"};
    for (const char32_t c : code_points(word)) pieces.push_back(utf8({&c, 1}));
    while (true) {
      std::size_t best = 0;  // the place of the second one
      float best_score = 0;
      for (std::size_t i = 1; i < pieces.size(); ++i) {
        const int id = processor_->PieceToId(pieces[i - 1] + pieces[i]);
        if (id <= unk_id || generator.uniform() < dropout) continue;
        if (const float score = processor_->GetScore(id); best == 0 || score > best_score) {
          best = i;
          best_score = score;
        }
      }
      if (best == 0) break;
      pieces[best - 1] += pieces[best];
      pieces.erase(pieces.begin() + std::ptrdiff_t(best));
    }
    for (const std::string& piece : pieces)
      if (const int id = processor_->PieceToId(piece); id > unk_id)
        ids.push_back(id);
      else if (ids.empty() || ids.back() != unk_id)
        ids.push_back(unk_id);
  }
  return ids;
}

}  // namespace gradus::training
