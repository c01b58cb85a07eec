#pragma once

#include <string>

#include "examples/step/page.h"

namespace gradus::step {

/// The README of the lesson of this number, for its page; empty of what is not a lesson's number.
PageText lesson_text(const std::string& name);

}  // namespace gradus::step
