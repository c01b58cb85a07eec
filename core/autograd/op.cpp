#include "core/autograd/op.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace gradus {

std::string operand_name(int i, int count) {
  if (count == 1) return "x";
  constexpr std::string_view letters = "abcdefhijklmnopqrstuvwz";
  const auto at = static_cast<size_t>(i);
  return at < letters.size() ? std::string(1, letters[at]) : fmt::format("a{}", i);
}

std::string Attribute::text() const {
  struct {
    std::string operator()(int64_t number) const { return fmt::format("{}", number); }
    std::string operator()(double number) const { return fmt::format("{:g}", number); }
    std::string operator()(const std::string& word) const { return word; }
    std::string operator()(const std::vector<int64_t>& list) const {
      return fmt::format("({})", fmt::join(list, ", "));
    }
  } text;
  return std::visit(text, value);
}

}  // namespace gradus
