#include "examples/live/exercises.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/functions/gradient_check.h"
#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "examples/live/exercises_text.h"
#include "examples/live/numbers.h"
#include "examples/terminal/language.h"

namespace gradus::live {

using terminal::said;

const std::string_view exercises_text = exercises_file;

namespace {

constexpr double close = 1e-5;  // of differences in float64
constexpr size_t most_bytes = 1 << 16, most_exercises = 100;

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r"), end = text.find_last_not_of(" \t\r");
  return begin == text.npos ? "" : text.substr(begin, end - begin + 1);
}

Words words_of(std::string_view text) {
  const size_t bar = text.find('|');
  const std::string en(trimmed(text.substr(0, bar)));
  return {en, bar == text.npos ? en : std::string(trimmed(text.substr(bar + 1)))};
}

std::vector<std::string> names_of(const std::map<std::string, Tensor>& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

Tensor output_of(const Exercise& exercise, const std::map<std::string, Tensor>& inputs) {
  return Expression::parse(exercise.formula, names_of(inputs))(inputs);
}

/// In this shape, if only axes of size 1 are between them.
Tensor in_shape(const Tensor& x, const Shape& shape) {
  std::vector<int64_t> sizes[2];
  for (int axis = 0; axis < x.rank(); ++axis)
    if (x.shape()[axis] != 1) sizes[0].push_back(x.shape()[axis]);
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (shape[axis] != 1) sizes[1].push_back(shape[axis]);
  return sizes[0] == sizes[1] ? reshape(x, shape) : x;
}

bool agree(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return false;
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  for (size_t i = 0; i < x.size(); ++i)
    if (!(std::abs(x[i] - y[i]) <= close * (1 + std::abs(y[i])))) return false;
  return true;
}

/// c, where a = c · b for all elements.
std::optional<double> factor(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return {};
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  double largest = 0, c = 0;
  for (size_t i = 0; i < y.size(); ++i)
    if (std::abs(y[i]) > largest) largest = std::abs(y[i]), c = x[i] / y[i];
  if (largest == 0 || !std::isfinite(c) || !agree(a, b * c)) return {};
  return c;
}

/// What is wrong with an answer; the first of these that is so.
Words fault(const Exercise& exercise, const Tensor& given, const Tensor& wanted,
            const std::map<std::string, Tensor>& known) {
  if (const auto c = factor(given, wanted)) {
    if (std::abs(*c + 1) < close) return {"The sign is wrong.", "符号反了。"};
    if (std::abs(*c - 2) < close) return {"Twice as much as it should be.", "大了一倍。"};
    if (std::abs(*c - 0.5) < close) return {"Half of what it should be.", "只有应有的一半。"};
    return {fmt::format("A factor is wrong: {:.4g} times what it should be.", *c),
            fmt::format("系数不对：是正确值的 {:.4g} 倍。", *c)};
  }
  if (given.rank() >= 2 && agree(transpose(given), wanted))
    return {"Transposed: rows and columns are exchanged.", "转置了：行与列互换。"};
  if (given.rank() >= wanted.rank() && given.shape() != wanted.shape())
    for (int axis = 0; axis < given.rank(); ++axis) {
      if (agree(in_shape(sum(given, {axis}), wanted.shape()), wanted))
        return {
            fmt::format("The sum over axis {} is missing: {} takes part once for each of its {} "
                        "places, and gets the sum of what these send.",
                        axis, exercise.wanted, given.shape()[axis]),
            fmt::format("少了沿轴 {0} 的求和：{1} 在这 {2} 处各参与一次，得到它们传回的梯度之和。",
                        axis, exercise.wanted, given.shape()[axis])};
    }
  if (given.shape() != wanted.shape()) {
    if (given.numel() == 1 && wanted.numel() > 1 && agree(sum(wanted), reshape(given, {})))
      return {"That is the sum of the right elements; each has its own gradient.",
              "这是各元素正确梯度之和；每个元素有自己的梯度。"};
    return {fmt::format("The shape is {}, but a gradient has the shape of its tensor: {}.",
                        given.shape().text(), wanted.shape().text()),
            fmt::format("形状是 {}，而梯度的形状与张量相同：{}。", given.shape().text(),
                        wanted.shape().text())};
  }
  const Tensor& g = known.at("g");
  if (g.shape() == given.shape() && agree(given * g, wanted))
    return {"The incoming gradient g is missing: by the chain rule it is a factor.",
            "缺少传入的梯度 g：按链式法则，它是一个因子。"};
  int64_t right = 0;
  const std::vector<double> x = given.to_vector<double>(), y = wanted.to_vector<double>();
  for (size_t i = 0; i < x.size(); ++i)
    if (std::abs(x[i] - y[i]) <= close * (1 + std::abs(y[i]))) ++right;
  if (right > 0)
    return {fmt::format("{} of {} elements are right.", right, x.size()),
            fmt::format("{1} 个元素中有 {0} 个正确。", right, x.size())};
  return exercise.hint.en.empty() ? Words{"Not yet.", "还不对。"} : exercise.hint;
}

/// The exercise of a block of lines.
class Block {
 public:
  bool is_empty() const { return is_empty_; }

  void add(std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == line.npos) throw Error(said("expected 'key: value'"));
    const std::string key(trimmed(line.substr(0, colon)));
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (value.empty()) throw Error(said("'{}' says nothing", key));
    is_empty_ = false;
    if (key == "title")
      exercise_.title = words_of(value);
    else if (key == "task")
      exercise_.task = words_of(value);
    else if (key == "hint")
      exercise_.hint = words_of(value);
    else if (key == "y")
      exercise_.formula = value;
    else if (key == "find")
      exercise_.wanted = value;
    else if (key == "answer")
      exercise_.answer = value;
    else if (key.size() == 1 && key[0] >= 'a' && key[0] <= 'z' && key != "g")
      exercise_.inputs[key] = tensor_of_text(value);
    else
      throw Error(
          said("expected title, task, y, an input of one letter that is not g, find, "
               "answer or hint, got '{}'",
               key));
  }

  Exercise end() const {
    const auto need = [](bool there, const char* what) {
      if (!there) throw Error(said("the exercise that ends here has no '{}'", what));
    };
    need(!exercise_.title.en.empty(), "title:");
    need(!exercise_.formula.empty(), "y:");
    need(!exercise_.inputs.empty(), "a:");
    need(!exercise_.wanted.empty(), "find:");
    need(!exercise_.answer.empty(), "answer:");
    if (!exercise_.inputs.contains(exercise_.wanted))
      throw Error(
          said("find: '{}' is not an input of the exercise that ends here", exercise_.wanted));
    if (const Marked marked = mark(exercise_, exercise_.answer); !marked.is_right)
      throw Error(said("the answer of the exercise that ends here is wrong: {}", marked.hint.en));
    return exercise_;
  }

 private:
  Exercise exercise_;
  bool is_empty_ = true;
};

}  // namespace

std::map<std::string, Tensor> Exercise::known() const {
  std::map<std::string, Tensor> known = inputs;
  known["y"] = output_of(*this, inputs);
  known["g"] = irregular(known["y"].shape(), 0.5);
  return known;
}

Tensor Exercise::differences() const {
  constexpr double h = 1e-5;
  const std::map<std::string, Tensor> all = known();
  std::map<std::string, Tensor> moved = inputs;
  const Tensor& x = inputs.at(wanted);
  const auto loss = [&](int64_t element, double by) {
    Tensor other = Tensor::uninitialised(x.shape(), x.dtype());
    other.assign(x);
    other.mutable_data<double>()[element] += by;
    moved[wanted] = other;
    return sum(all.at("g") * output_of(*this, moved)).item();
  };
  Tensor result = zeros(x.shape(), DType::float64);
  for (int64_t i = 0; i < x.numel(); ++i)
    result.mutable_data<double>()[i] = (loss(i, h) - loss(i, -h)) / (2 * h);
  return result;
}

Marked mark(const Exercise& exercise, std::string_view answer) {
  const std::map<std::string, Tensor> known = exercise.known();
  Marked result;
  result.wanted = exercise.differences();
  result.given = in_shape(Expression::parse(answer, names_of(known))(known), result.wanted.shape());
  result.is_right = agree(result.given, result.wanted);
  if (!result.is_right) result.hint = fault(exercise, result.given, result.wanted, known);
  return result;
}

std::vector<Exercise> read_exercises(std::string_view text) {
  if (text.size() > most_bytes)
    throw Error(said("exercises: expected at most {} bytes, got {}", most_bytes, text.size()));
  std::vector<Exercise> result;
  Block block;
  int number = 0;
  const auto end_block = [&] {
    if (!block.is_empty()) result.push_back(block.end());
    if (result.size() > most_exercises)
      throw Error(said("expected at most {} exercises", most_exercises));
    block = {};
  };
  while (!text.empty() || number == 0) {
    const size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    ++number;
    try {
      if (line.empty())
        end_block();
      else if (!line.starts_with('#'))
        block.add(line);
      if (text.empty()) end_block();
    } catch (const std::exception& error) {
      throw Error(said("exercises, line {}: {}", number, error.what()));
    }
  }
  if (result.empty()) throw Error(said("exercises: there is none in this file"));
  return result;
}

}  // namespace gradus::live
