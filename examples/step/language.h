#pragma once

#include <span>

#include "examples/terminal/language.h"

namespace gradus::step {

using terminal::phrase;
using terminal::said;

/// English or Chinese: what the stepper explains itself in.
enum class Language { en, zh };

/// zh where LC_ALL, or else LC_MESSAGES, or else LANG begins so.
Language language_of_environment();

/// From now on the stepper speaks this language; at first it speaks English.
void speak(Language language);

/// All that it says in Chinese, by the English.
const terminal::Phrases& chinese();

using PhraseList = std::span<const terminal::Phrases::value_type>;

/// The part of it that is the help of its commands.
PhraseList chinese_help();

}  // namespace gradus::step
