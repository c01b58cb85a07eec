#include "examples/live/numbers.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/ops/movement.h"
#include "core/tensor/error.h"
#include "examples/terminal/language.h"

namespace gradus::live {

using terminal::said;

namespace {

using nlohmann::json;

[[noreturn]] void refuse(std::string_view text) {
  throw Error(
      said("expected a number, a list such as [1, 2], or rows of one length such as "
           "[[1, 2], [3, 4]], got {}",
           text.substr(0, 60)));
}

}  // namespace

Tensor tensor_of_text(std::string_view text) {
  constexpr size_t most = 256;
  const json value = json::parse(text, nullptr, false);
  std::vector<double> numbers;
  const auto add = [&](const json& x) {
    if (!x.is_number() || !std::isfinite(x.get<double>()) || numbers.size() == most) refuse(text);
    numbers.push_back(x.get<double>());
  };
  if (!value.is_array()) {
    add(value);
    return tensor(numbers, {});
  }
  if (value.empty()) refuse(text);
  const bool has_rows = value[0].is_array();
  const size_t columns = has_rows ? value[0].size() : value.size();
  if (columns == 0) refuse(text);
  for (const json& item : value) {
    if (item.is_array() != has_rows || (has_rows && item.size() != columns)) refuse(text);
    if (has_rows)
      for (const json& x : item) add(x);
    else
      add(item);
  }
  Shape shape;
  if (has_rows) shape.append(static_cast<int64_t>(value.size()));
  shape.append(static_cast<int64_t>(columns));
  return tensor(numbers, shape);
}

json json_of_values(const Tensor& x) {
  if (x.rank() == 0) return std::isfinite(x.item()) ? json(x.item()) : json();
  json list = json::array();
  for (int64_t i = 0; i < x.shape()[0]; ++i) list.push_back(json_of_values(x[i]));
  return list;
}

}  // namespace gradus::live
