#include "core/files/json_check.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "core/tensor/error.h"

namespace gradus {

namespace {

using nlohmann::json;

/// Sees the text piece by piece and builds nothing. (The parser's own callback looks at all members
/// of an object again whenever one of them ends.)
class Checker : public nlohmann::json_sax<json> {
 public:
  Checker(const std::string& what, int deepest) : what_(what), deepest_(deepest) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool start_array(size_t) override { return enter(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    if (!names_.back().insert(name).second)
      throw Error(fmt::format("{} names {} twice", what_, in_quotes(name)));
    return true;
  }
  bool parse_error(size_t byte, const std::string&, const json::exception& error) override {
    constexpr int number_overflow = 406;
    if (error.id == number_overflow)
      throw Error(fmt::format("{} holds a number that no float64 holds", what_));
    throw Error(fmt::format("{} is not JSON in UTF-8: error at its byte {}", what_, byte));
  }

 private:
  bool enter() {
    if (static_cast<int>(names_.size()) == deepest_)
      throw Error(fmt::format("{} is nested too deeply", what_));
    names_.emplace_back();
    return true;
  }
  bool leave() {
    names_.pop_back();
    return true;
  }

  const std::string& what_;
  int deepest_;
  std::vector<std::unordered_set<std::string>> names_;  // of the objects around
};

}  // namespace

void check_json(const std::string& what, std::string_view text, int deepest) {
  Checker checker(what, deepest);
  // The parser would take a zero byte for the end of its input.
  const size_t zero = text.find('\0');
  json::sax_parse(text.substr(0, zero), &checker);
  if (zero != text.npos)
    throw Error(fmt::format("{} is not JSON in UTF-8: error at its byte {}", what, zero + 1));
}

std::string in_quotes(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace gradus
