#pragma once

#include "examples/terminal/language.h"

namespace gradus::live {

/// What the engine's errors are in Chinese, by the English.
const terminal::Phrases& chinese();

}  // namespace gradus::live
