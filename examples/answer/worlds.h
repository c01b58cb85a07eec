#pragma once

#include "core/tensor/random.h"
#include "examples/answer/stories.h"

namespace gradus::answer {

enum Language { english, chinese };

/// What is asked of small worlds, in the spirit of bAbI: names for tables.
inline const std::vector<std::string> world_kinds{"where is someone", "where is a thing",
                                                  "who has it",       "how many things",
                                                  "yes, no or maybe", "which way"};

/// `count` small worlds in which people go to rooms, take, drop and give things, or in which rooms
/// lie beside each other; after some sentences of each comes one question. The kinds take turns.
/// Two languages with generators of one state tell of the same worlds.
Stories draw_worlds(int64_t count, Language language, Generator& generator);

/// The questions of which neither story and question together occur in `known`.
Stories without(const Stories& stories, const Stories& known);

}  // namespace gradus::answer
