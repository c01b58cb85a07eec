#include "examples/summarise/articles.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/tensor/error.h"
#include "examples/terminal/output.h"
#include "examples/training/lines.h"

namespace gradus::summarise {

using namespace training;

std::vector<Article> read_articles(const std::string& path) {
  std::vector<Article> articles;
  const auto take = [&](std::string_view line, int64_t) {
    const Flaw flaw = flaw_of(line);
    if (flaw != usable) return flaw;
    const int64_t tabs = std::ranges::count(line, '\t');
    if (tabs != 1)
      throw Error(
          fmt::format("expected two columns, a text, a tab and its summary, got {}", tabs + 1));
    const size_t tab = line.find('\t');
    const std::string_view text = line.substr(0, tab), summary = line.substr(tab + 1);
    if (blank(text) || blank(summary))
      throw Error(fmt::format("its {} is empty", blank(text) ? "text" : "summary"));
    articles.push_back({std::string(text), std::string(summary)});
    return usable;
  };
  for (const std::string& warning : read_lines(
           path, {"article", "expected a UTF-8 text file of texts, a tab and a summary each"},
           take))
    terminal::message(warning);
  return articles;
}

Encoded::Encoded(const Article& article, const Vocabulary& vocabulary, int64_t longest_text,
                 int64_t longest_summary)
    : words(tokens(article.text, vocabulary.unit())) {
  const auto shorten = [](auto& list, int64_t longest) {
    if (std::ssize(list) > longest) list.resize(static_cast<size_t>(longest));
  };
  shorten(words, longest_text);
  const auto extended = [&](const std::string& word) {
    const int64_t id = vocabulary.id(word);
    const auto place = std::ranges::find(unknown, word);
    return id != unk_id || place == unknown.end() ? id
                                                  : vocabulary.size() + (place - unknown.begin());
  };
  for (const std::string& word : words) {
    if (extended(word) == unk_id) unknown.push_back(word);
    source.push_back(extended(word));
  }
  auto summary = tokens(article.summary, vocabulary.unit());
  shorten(summary, longest_summary);
  for (const std::string& word : summary) target.push_back(extended(word));
  target.push_back(eos_id);
}

Batch::Batch(const std::vector<const Encoded*>& articles, int64_t vocabulary) : words(vocabulary) {
  std::vector<std::vector<int64_t>> sources, targets;
  for (const Encoded* article : articles) {
    sources.push_back(article->source), targets.push_back(article->target);
    words = std::max(words, vocabulary + std::ssize(article->unknown));
  }
  source = pad_sequences(sources, pad_id), target = pad_sequences(targets, pad_id);
}

}  // namespace gradus::summarise
