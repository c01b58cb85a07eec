#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace gradus::step {

/// JSON in which no '<' stands, so that nothing in it can end the element of HTML that holds it.
inline std::string json_text(const nlohmann::json& data) {
  std::string text;
  for (char c : data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
    c == '<' ? text += "\\u003c" : text += c;
  return text;
}

}  // namespace gradus::step
