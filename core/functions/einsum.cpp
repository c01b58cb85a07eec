#include "core/functions/einsum.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

/// Axes by letter. The axes of "..." have the digits '0' (the last one), '1', … as theirs.
using Letters = std::string;

struct Labelled {
  Tensor tensor;
  Letters letters;
};

bool has(const Letters& letters, char c) { return letters.find(c) != Letters::npos; }

class Equation {
 public:
  Equation(const std::string& text, const std::vector<Tensor>& tensors) : text_(text) {
    std::string rest;
    for (char c : text)
      if (c != ' ') rest += c;
    const size_t arrow = rest.find("->");
    std::vector<std::string> terms{""};
    for (char c : rest.substr(0, arrow))
      if (c == ',')
        terms.emplace_back();
      else
        terms.back() += c;
    if (terms.size() != tensors.size())
      fail(fmt::format("expected {} operands, got {}", terms.size(), tensors.size()));
    for (size_t i = 0; i < tensors.size(); ++i) {
      const int named = static_cast<int>(named_letters(terms[i]));
      const bool open = terms[i].find("...") != std::string::npos;
      const int others = tensors[i].rank() - named;
      if (open ? others < 0 : others != 0)
        fail(fmt::format("expected {}{} axes for operand {} (\"{}\"), got {}",
                         open ? "at least " : "", named, i, terms[i], tensors[i].description()));
      most_others_ = std::max(most_others_, others);
      operands.push_back({tensors[i], spelled(terms[i], others)});
    }
    if (arrow != std::string::npos) {
      const std::string term = rest.substr(arrow + 2);
      named_letters(term);
      output = spelled(term, most_others_);
      for (char c : output)
        if (std::count(output.begin(), output.end(), c) > 1)
          fail(fmt::format("letter '{}' is twice in the output", c));
    } else {
      output = spelled("...", most_others_) + letters_that_appear_once();
    }
    find_sizes();
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(fmt::format("einsum(\"{}\"): {}", text_, what));
  }

  std::vector<Labelled> operands;
  Letters output;
  std::map<char, int64_t> sizes;

 private:
  /// Counts the letters of one term, and checks that it has nothing else but one "...".
  size_t named_letters(const std::string& term) const {
    std::string letters = term;
    if (const size_t dots = letters.find("..."); dots != std::string::npos) letters.erase(dots, 3);
    for (char c : letters)
      if (!std::isalpha(static_cast<unsigned char>(c)))
        fail(fmt::format("expected letters, one \"...\", ',' and one \"->\", got '{}'", c));
    return letters.size();
  }

  static Letters spelled(const std::string& term, int others) {
    Letters result = term;
    if (const size_t dots = result.find("..."); dots != std::string::npos) {
      Letters digits;
      for (int k = others; k-- > 0;) digits += static_cast<char>('0' + k);
      result.replace(dots, 3, digits);
    }
    return result;
  }

  Letters letters_that_appear_once() const {
    Letters every, once;
    for (const Labelled& operand : operands) every += operand.letters;
    for (char c : every)
      if (std::isalpha(static_cast<unsigned char>(c)) &&
          std::count(every.begin(), every.end(), c) == 1)
        once += c;
    std::sort(once.begin(), once.end());
    return once;
  }

  void find_sizes() {
    for (const Labelled& operand : operands)
      for (int axis = 0; axis < operand.tensor.rank(); ++axis) {
        const char c = operand.letters[static_cast<size_t>(axis)];
        const int64_t size = operand.tensor.shape()[axis];
        const auto [known, is_new] = sizes.try_emplace(c, size);
        if (is_new || known->second == size) continue;
        if (!std::isdigit(static_cast<unsigned char>(c)))
          fail(fmt::format("letter '{}' has size {} and size {}", c, known->second, size));
        if (known->second != 1 && size != 1)
          fail(fmt::format("axes of \"...\" do not broadcast: {} and {}", known->second, size));
        if (known->second == 1) known->second = size;
      }
    for (char c : output)
      if (!sizes.contains(c)) fail(fmt::format("letter '{}' of the output is in no operand", c));
  }

  const std::string& text_;
  int most_others_ = 0;
};

/// The diagonal of two axes of one size, as the last axis.
Tensor diagonal(const Tensor& x, int a, int b) {
  const int64_t n = x.shape()[a];
  std::vector<int> order;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (axis != a && axis != b) order.push_back(axis);
  order.push_back(a), order.push_back(b);
  const Tensor moved = contiguous(permute(x, order));
  Shape shape = moved.shape().without(x.rank() - 1).with(x.rank() - 2, n * n);
  return slice(reshape(moved, shape), -1, 0, n * n, n + 1);
}

/// Takes diagonals, and sums over the letters that are not `kept`.
Labelled simplified(Labelled x, const Letters& kept) {
  for (size_t i = 0; i < x.letters.size(); ++i)
    if (const size_t again = x.letters.find(x.letters[i], i + 1); again != Letters::npos) {
      const char c = x.letters[i];
      x.tensor = diagonal(x.tensor, static_cast<int>(i), static_cast<int>(again));
      x.letters.erase(again, 1).erase(i, 1);
      x.letters += c;
      i = static_cast<size_t>(-1);
    }
  Axes summed;
  Letters left;
  for (size_t i = 0; i < x.letters.size(); ++i)
    if (has(kept, x.letters[i]))
      left += x.letters[i];
    else
      summed.push_back(static_cast<int>(i));
  if (!summed.empty()) x.tensor = sum(x.tensor, summed);
  return {x.tensor, left};
}

/// x with its axes in the order of `letters`, which may lack none of its own; new ones of size 1.
Tensor arranged(const Labelled& x, const Letters& letters) {
  std::vector<int> order;
  for (char c : letters)
    if (const size_t at = x.letters.find(c); at != Letters::npos)
      order.push_back(static_cast<int>(at));
  Tensor y = permute(x.tensor, order);
  for (size_t axis = 0; axis < letters.size(); ++axis)
    if (!has(x.letters, letters[axis])) y = unsqueeze(y, static_cast<int>(axis));
  return y;
}

/// a · b summed over the letters that are not `kept`.
Labelled product(const Labelled& a, const Labelled& b, const Letters& kept,
                 const std::map<char, int64_t>& sizes) {
  Letters batch, rows, columns, inner;
  for (char c : a.letters) (!has(b.letters, c) ? rows : has(kept, c) ? batch : inner) += c;
  for (char c : b.letters)
    if (!has(a.letters, c)) columns += c;
  // Sizes of "..." differ where one of them is 1: such axes are stretched before they are joined.
  auto joined = [&](const Labelled& x, const Letters& first, const Letters& second) {
    const Letters letters = batch + first + second;
    Shape whole, grouped;
    for (char c : letters) whole.append(sizes.at(c));
    for (char c : batch) grouped.append(sizes.at(c));
    for (const Letters* group : {&first, &second}) {
      int64_t n = 1;
      for (char c : *group) n *= sizes.at(c);
      grouped.append(n);
    }
    const Tensor y = expand(arranged(x, letters), whole);
    return grouped == whole ? y : reshape(contiguous(y), grouped);
  };
  const Tensor y = matmul(joined(a, rows, inner), joined(b, inner, columns));
  Shape shape;
  for (char c : batch + rows + columns) shape.append(sizes.at(c));
  return {reshape(y, shape), batch + rows + columns};
}

}  // namespace

Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands) {
  const Equation parsed(equation, operands);
  if (operands.empty()) parsed.fail("expected at least one operand");
  auto needed_from = [&](size_t next) {  // letters of the output and of the operands from `next` on
    Letters result = parsed.output;
    for (size_t i = next; i < operands.size(); ++i) result += parsed.operands[i].letters;
    return result;
  };
  Labelled result = simplified(parsed.operands[0], needed_from(1));
  for (size_t i = 1; i < operands.size(); ++i) {
    const Letters kept = needed_from(i + 1);
    result =
        product(result, simplified(parsed.operands[i], kept + result.letters), kept, parsed.sizes);
  }
  Tensor y = arranged(result, parsed.output);
  Shape shape;
  for (char c : parsed.output) shape.append(parsed.sizes.at(c));
  return expand(y, shape);
}

}  // namespace gradus
