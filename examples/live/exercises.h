#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor/tensor.h"
#include "examples/live/expression.h"

namespace gradus::live {

/// In English and in Chinese.
struct Words {
  std::string en, zh;
};

/// A derivative that is left blank. The learner knows the inputs, the output y and its gradient g.
struct Exercise {
  Words title, task, hint;
  std::string formula;                   ///< of y
  std::string wanted;                    ///< the input whose gradient is asked for
  std::string answer;                    ///< one that is right
  std::map<std::string, Tensor> inputs;  ///< float64

  /// The inputs, y and g, with irregular numbers for g.
  std::map<std::string, Tensor> known() const;
  /// dL/d(wanted) for L = Σ g · y, by central differences.
  Tensor differences() const;
};

/// Reads a file of exercises: blocks of lines `key: value` with an empty line between them, and
/// lines that begin with # for remarks.
///
///     title:  The product rule | 乘法法则
///     task:   What does a get back? | a 得到的梯度是什么？
///     y:      a * b
///     a:      [2, -1, 0.5]
///     b:      [3, 4, -2]
///     find:   a
///     answer: g * b
///     hint:   Along a, y grows by b. | 沿着 a，y 以 b 的倍率增长。
///
/// A key of one letter is an input: a number, a list of numbers, or a list of such lists. Text is
/// English | Chinese, or the same for both. task and hint may be left out.
/// Throws Error with the line for what it cannot read, and where the answer is wrong.
std::vector<Exercise> read_exercises(std::string_view text);

/// Those that come with the page.
extern const std::string_view exercises_text;

struct Marked {
  bool is_right = false;
  Words hint;     ///< how it is wrong: twice as much, the sign, transposed, a forgotten sum …
  Tensor given;   ///< what was answered,
  Tensor wanted;  ///< and what the differences say
};
/// Throws Error for what is no expression of what is known.
Marked mark(const Exercise& exercise, std::string_view answer);

}  // namespace gradus::live
