#pragma once

#include "core/tensor/random.h"
#include "examples/summarise/articles.h"

namespace gradus::summarise {

/// `count` short bulletins of three to six sentences, with a headline each: of matches, fires,
/// roads, votes, offices and helpers. Their names are made of syllables, their numbers have four
/// digits, and each bulletin draws its own. Those of held-out bulletins occur in no others.
std::vector<Article> draw_bulletins(int64_t count, bool held_out, Generator& generator);

}  // namespace gradus::summarise
