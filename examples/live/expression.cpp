#include "examples/live/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>

#include "core/functions/softmax.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "examples/terminal/language.h"

namespace gradus::live {

using terminal::said;

namespace {

constexpr int deepest = 100;
constexpr size_t longest = 400;  // bytes

/// Elementwise functions of one and of two arguments, of whatever calls itself V.
template <class V>
const std::map<std::string, std::function<V(const V&)>>& functions() {
  static const std::map<std::string, std::function<V(const V&)>> all = {
      {"exp", [](const V& x) -> V { return exp(x); }},
      {"log", [](const V& x) -> V { return log(x); }},
      {"tanh", [](const V& x) -> V { return tanh(x); }},
      {"sigmoid", [](const V& x) -> V { return sigmoid(x); }},
      {"relu", [](const V& x) -> V { return relu(x); }},
      {"softplus", [](const V& x) -> V { return softplus(x); }},
      {"sqrt", [](const V& x) -> V { return sqrt(x); }},
      {"sin", [](const V& x) -> V { return sin(x); }},
      {"cos", [](const V& x) -> V { return cos(x); }},
      {"abs", [](const V& x) -> V { return abs(x); }},
      {"erf", [](const V& x) -> V { return erf(x); }},
      {"sign", [](const V& x) -> V { return sign(x); }},
      {"-", [](const V& x) -> V { return -x; }},
  };
  return all;
}
template <class V>
const std::map<std::string, std::function<V(const V&, const V&)>>& functions_of_two() {
  static const std::map<std::string, std::function<V(const V&, const V&)>> all = {
      {"+", [](const V& a, const V& b) -> V { return a + b; }},
      {"-", [](const V& a, const V& b) -> V { return a - b; }},
      {"*", [](const V& a, const V& b) -> V { return a * b; }},
      {"/", [](const V& a, const V& b) -> V { return a / b; }},
      {"max", [](const V& a, const V& b) -> V { return maximum(a, b); }},
      {"min", [](const V& a, const V& b) -> V { return minimum(a, b); }},
  };
  return all;
}

bool is_tensor_function(const std::string& name) {
  return name == "sum" || name == "mean" || name == "softmax" || name == "@" || name == "'";
}
bool is_function(const std::string& name) {
  return functions<Expr>().contains(name) || functions_of_two<Expr>().contains(name) ||
         is_tensor_function(name);
}

struct Token {
  std::string text;
  size_t at;
  bool is_number = false, is_name = false;
};

/// Words, numbers and marks; what mathematics writes otherwise becomes ASCII.
std::vector<Token> tokens_of(std::string_view text) {
  if (text.size() > longest)
    throw Error(said("expected an expression of at most {} bytes, got {}", longest, text.size()));
  static const std::pair<std::string_view, std::string_view> written[] = {
      {"·", "*"},     {"×", "*"}, {"−", "-"},  {"²", "^2"}, {"³", "^3"},
      {"√", "sqrt "}, {"ᵀ", "'"}, {"（", "("}, {"）", ")"}, {"，", ","}};
  std::string ascii;
  for (size_t i = 0; i < text.size();) {
    const auto found = std::find_if(std::begin(written), std::end(written), [&](const auto& pair) {
      return text.substr(i).starts_with(pair.first);
    });
    if (found == std::end(written)) {
      ascii += text[i++];
      continue;
    }
    ascii += found->second;
    i += found->first.size();
  }
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::vector<Token> tokens;
  for (size_t i = 0; i < ascii.size();) {
    const size_t begin = i;
    Token token{"", begin};
    if (ascii[i] == ' ' || ascii[i] == '\t') {
      ++i;
      continue;
    }
    if (is_digit(ascii[i]) || (ascii[i] == '.' && i + 1 < ascii.size() && is_digit(ascii[i + 1]))) {
      const char* start = ascii.c_str() + i;
      char* end = nullptr;
      std::strtod(start, &end);
      i += static_cast<size_t>(end - start);
      token.is_number = true;
    } else if (is_letter(ascii[i])) {
      while (i < ascii.size() && (is_letter(ascii[i]) || is_digit(ascii[i]) || ascii[i] == '_'))
        ++i;
      token.is_name = true;
    } else if (std::string_view("+-*/^@'(),").find(ascii[i]) != std::string_view::npos) {
      ++i;
    } else {
      throw Error(said("'{}': expected a number, a name or one of + - * / ^ @ ' ( ) ,",
                       ascii.substr(i, ascii[i] & 0x80 ? 4 : 1)));
    }
    token.text = ascii.substr(begin, i - begin);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace

/// Recursive descent: sum, product, sign, power, postfix, value.
class Parser {
 public:
  Parser(std::string_view text, const std::vector<std::string>& names)
      : tokens_(tokens_of(text)), names_(names) {}

  Expression whole() {
    Expression result = sum(0);
    if (at_ < tokens_.size())
      throw Error(said("expected an operator or the end before '{}'", tokens_[at_].text));
    return result;
  }

 private:
  bool take(std::string_view mark) {
    if (at_ >= tokens_.size() || tokens_[at_].is_name || tokens_[at_].text != mark) return false;
    ++at_;
    return true;
  }
  void expect(std::string_view mark) {
    if (!take(mark))
      throw Error(at_ < tokens_.size() ? said("expected '{}' before '{}'", mark, tokens_[at_].text)
                                       : said("expected '{}' at the end", mark));
  }

  static Expression call(std::string function, std::vector<Expression> arguments) {
    Expression result;
    result.kind_ = Expression::Kind::call;
    result.text_ = std::move(function);
    result.arguments_ = std::move(arguments);
    return result;
  }

  template <class Operand>
  Expression chain(Operand operand, std::initializer_list<const char*> marks) {
    Expression result = operand();
    for (bool goes_on = true; goes_on;) {
      goes_on = false;
      for (const char* mark : marks)
        if (take(mark)) {
          result = call(mark, {std::move(result), operand()});
          goes_on = true;
        }
    }
    return result;
  }

  Expression sum(int depth) {
    if (depth > deepest) throw Error(said("expected at most {} levels of parentheses", deepest));
    return chain([&] { return product(depth); }, {"+", "-"});
  }
  Expression product(int depth) {
    return chain([&] { return with_sign(depth); }, {"*", "/", "@"});
  }
  Expression with_sign(int depth) {
    bool is_negative = false;
    while (true)
      if (take("-"))
        is_negative = !is_negative;
      else if (!take("+"))
        break;
    Expression result = power(depth);
    return is_negative ? call("-", {std::move(result)}) : result;
  }
  Expression power(int depth) {
    if (depth > deepest) throw Error(said("expected at most {} levels of powers", deepest));
    Expression base = postfix(depth);
    if (!take("^")) return base;
    const bool is_negative = take("-");
    Expression exponent = power(depth + 1);
    if (is_negative) exponent = call("-", {std::move(exponent)});
    return call("^", {std::move(base), std::move(exponent)});
  }
  Expression postfix(int depth) {
    Expression result = value(depth);
    while (take("'")) result = call("'", {std::move(result)});
    return result;
  }
  Expression value(int depth) {
    if (take("(")) {
      Expression result = sum(depth + 1);
      expect(")");
      return result;
    }
    if (at_ >= tokens_.size()) throw Error(said("expected a number, a name or ( at the end"));
    const Token& token = tokens_[at_];
    if (token.is_number) {
      ++at_;
      Expression result;
      result.number_ = std::strtod(token.text.c_str(), nullptr);
      return result;
    }
    if (!token.is_name) throw Error(said("expected a number, a name or ( before '{}'", token.text));
    ++at_;
    if (std::find(names_.begin(), names_.end(), token.text) != names_.end()) {
      Expression result;
      result.kind_ = Expression::Kind::name;
      result.text_ = token.text;
      return result;
    }
    if (!is_function(token.text)) {
      std::string known;
      for (const std::string& name : names_) known += (known.empty() ? "" : ", ") + name;
      throw Error(said("'{}' is unknown here; expected {}, or a function such as sigmoid",
                       token.text, known.empty() ? said("a number") : known));
    }
    std::vector<Expression> arguments;
    if (token.text == "sqrt" && !(at_ < tokens_.size() && tokens_[at_].text == "(")) {
      arguments.push_back(postfix(depth));  // √x
    } else {
      expect("(");
      do arguments.push_back(sum(depth + 1));
      while (take(","));
      expect(")");
    }
    check_arguments(token.text, arguments);
    return call(token.text, std::move(arguments));
  }

  static void check_arguments(const std::string& name, const std::vector<Expression>& arguments) {
    const size_t least = functions_of_two<Expr>().contains(name) ? 2 : 1;
    const size_t most = name == "sum" || name == "mean" ? 2 : least;
    if (arguments.size() < least || arguments.size() > most)
      throw Error(most > least ? said("{} takes {} or {} arguments, got {}", name, least, most,
                                      arguments.size())
                  : most > 1 ? said("{} takes {} arguments, got {}", name, least, arguments.size())
                             : said("{} takes 1 argument, got {}", name, arguments.size()));
  }

  std::vector<Token> tokens_;
  const std::vector<std::string>& names_;
  size_t at_ = 0;
};

/// The value of an expression, of whatever V is: Tensor or Expr. What holds no name is a number.
template <class V>
class Evaluation {
 public:
  Evaluation(std::function<V(const std::string&)> input, std::function<V(double)> constant)
      : input_(std::move(input)), constant_(std::move(constant)) {}

  V operator()(const Expression& e) const {
    if (e.kind_ == Expression::Kind::number) return constant_(e.number_);
    if (e.kind_ == Expression::Kind::name) return input_(e.text_);
    const std::string& f = e.text_;
    const Expression& first = e.arguments_[0];
    if (is_tensor_function(f)) return of_tensors(e);
    if (f == "^") {
      if (e.arguments_[1].has_name()) throw Error(said("^: expected a number as the exponent"));
      return pow((*this)(first), number(e.arguments_[1]));
    }
    if (e.arguments_.size() == 1) return functions<V>().at(f)((*this)(first));
    return functions_of_two<V>().at(f)((*this)(first), (*this)(e.arguments_[1]));
  }

 private:
  static double number(const Expression& e) {
    const Tensor value =
        Evaluation<Tensor>([](const std::string&) { return Tensor(); },
                           [](double x) { return full({}, x, DType::float64); })(e);
    return value.item();
  }

  V of_tensors(const Expression& e) const {
    const std::string& f = e.text_;
    if constexpr (std::is_same_v<V, Tensor>) {
      const Tensor x = (*this)(e.arguments_[0]);
      if (f == "@") return matmul(x, (*this)(e.arguments_[1]));
      if (f == "'") return transpose(x);
      if (f == "softmax") return softmax(x);
      Tensor result;
      if (e.arguments_.size() == 1) {
        result = sum(x);
      } else {
        const double axis = number(e.arguments_[1]);
        if (axis != std::floor(axis) || !(std::abs(axis) < 9))
          throw Error(said("{}: expected an axis such as 0 or -1, got {}", f, axis));
        result = sum(x, {static_cast<int>(axis)}, true);
      }
      return f == "sum" ? result
                        : result * (static_cast<double>(result.numel()) /
                                    static_cast<double>(std::max<int64_t>(1, x.numel())));
    } else {
      throw Error(
          said("{}: expected an elementwise function: each element of the result "
               "from one of the input",
               f == "'"   ? "transpose"
               : f == "@" ? "product of matrices"
                          : f));
    }
  }

  std::function<V(const std::string&)> input_;
  std::function<V(double)> constant_;
};

Expression Expression::parse(std::string_view text, const std::vector<std::string>& names) {
  Expression result = Parser(text, names).whole();
  result.names_ = names;
  return result;
}

bool Expression::has_name() const {
  return kind_ == Kind::name || std::any_of(arguments_.begin(), arguments_.end(),
                                            [](const Expression& e) { return e.has_name(); });
}

Tensor Expression::operator()(const std::map<std::string, Tensor>& values) const {
  const DType dtype = values.empty() ? DType::float64 : values.begin()->second.dtype();
  return Evaluation<Tensor>([&](const std::string& name) { return values.at(name); },
                            [&](double x) { return full({}, x, dtype); })(*this);
}

namespace {

/// A Pointwise of as many inputs as there are indices.
template <class Formula, size_t... i>
Pointwise pointwise_of(const std::string& name, const Formula& formula, std::index_sequence<i...>) {
  return Pointwise(name, [&](std::enable_if_t<(i + 1 > 0), Expr>... x) {
    return formula(std::vector<Expr>{x...});
  });
}

template <size_t count = 1, class Formula>
Pointwise pointwise_of(size_t names, const std::string& name, const Formula& formula) {
  if constexpr (count <= 8) {
    if (names == count) return pointwise_of(name, formula, std::make_index_sequence<count>{});
    return pointwise_of<count + 1>(names, name, formula);
  }
  throw Error(said("expected a function of one to eight names, got {}", names));
}

}  // namespace

Pointwise Expression::pointwise(const std::string& name) const {
  if (!has_name())
    throw Error(said("expected a function of {}, got a number", names_.empty() ? "x" : names_[0]));
  return pointwise_of(names_.size(), name, [&](const std::vector<Expr>& inputs) {
    return Evaluation<Expr>(
        [&](const std::string& wanted) {
          const auto place = std::find(names_.begin(), names_.end(), wanted) - names_.begin();
          return inputs[static_cast<size_t>(place)];
        },
        [&](double x) { return inputs[0].formula->constant(x); })(*this);
  });
}

std::set<std::string> Expression::functions() const {
  std::set<std::string> found;
  if (kind_ == Kind::call && arguments_.size() == 1 && text_ != "-" &&
      live::functions<Expr>().contains(text_))
    found.insert(text_);
  for (const Expression& argument : arguments_) found.merge(argument.functions());
  return found;
}

Expression Expression::with(const std::string& function, const Expression& by) const {
  Expression result = *this;
  for (Expression& argument : result.arguments_) argument = argument.with(function, by);
  if (kind_ != Kind::call || text_ != function || arguments_.size() != 1) return result;
  const std::function<Expression(const Expression&)> put = [&](const Expression& e) {
    if (e.kind_ == Kind::name) return result.arguments_[0];
    Expression copy = e;
    for (Expression& argument : copy.arguments_) argument = put(argument);
    return copy;
  };
  Expression body = put(by);
  body.names_ = names_;
  return body;
}

}  // namespace gradus::live
