#pragma once

#include <doctest/doctest.h>

#include "core/tensor/error.h"
#include "examples/step/lessons.h"

/// What sessions answer, for tests.
namespace gradus::step {

/// The answer to the last of some commands, or its error.
inline std::string answer(Session& session, const std::vector<std::string>& commands) {
  std::string text;
  for (const std::string& command : commands) try {
      text = session.run(command);
    } catch (const Error& error) {
      text = std::string("error: ") + error.what();
    }
  return text;
}

inline std::string answer(const std::vector<std::string>& commands) {
  Session session(scalar_expression());
  return answer(session, commands);
}

inline void check_contains(const std::string& text, const std::string& part) {
  CHECK_MESSAGE(text.find(part) != text.npos, "'" << part << "' is not in: " << text);
}

}  // namespace gradus::step
