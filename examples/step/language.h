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

/// All that it says in Chinese, by the English. Defined in chinese.cpp.
const terminal::Phrases& chinese();

/// The same of its commands. Defined in chinese_help.cpp.
std::span<const terminal::Phrases::value_type> chinese_help();

}  // namespace gradus::step
