#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/core.h"
#include "core/tensor/error.h"
#include "tests/core/differential/choices.h"
#include "tests/core/differential/number.h"

/// The ops on random inputs against references that are written here as loops over scalars in long
/// double: values and gradients.
namespace gradus::differential {

/// Row-major.
struct Array {
  Shape shape;
  std::vector<Number> values;

  explicit Array(const Shape& shape = {})
      : shape(shape), values(static_cast<size_t>(shape.numel())) {}
  Number& operator[](int64_t i) { return values[static_cast<size_t>(i)]; }
  const Number& operator[](int64_t i) const { return values[static_cast<size_t>(i)]; }
  int64_t size() const { return static_cast<int64_t>(values.size()); }
};
using Arrays = std::vector<Array>;

/// Where an index stands in row-major order, and back; an index of another shape, by broadcasting.
int64_t place_of(const Shape& index, const Shape& shape);
int64_t broadcast_place(const Shape& index, const Shape& shape);
/// Calls f(index, place) for every element.
void for_each_index(const Shape& shape, const std::function<void(const Shape&, int64_t)>& f);

/// Which numbers a tensor holds.
enum class Values { tie, ordinary, wide, special };

/// Draws the parts of a case.
class Draw {
 public:
  explicit Draw(Choices& choices);

  Choices& choices;
  const DType dtype;  ///< float32 or float64

  int64_t between(int64_t low, int64_t high) { return choices.between(low, high); }
  bool one_in(uint32_t n) { return choices.one_in(n); }
  /// 1, 2, 3, 0, 17 or one that is large.
  int64_t size(int64_t most = 4096);
  /// Of `least_rank` to `most_rank` axes and at most `most` elements; nine of ten have at most 60.
  Shape shape(int least_rank = 0, int most_rank = 6, int64_t most = 4096);
  /// One that broadcasts to `to`: some of its axes have size 1, or are missing in front.
  Shape broadcasting(const Shape& to);
  int axis(const Shape& shape) { return static_cast<int>(between(0, shape.rank() - 1)); }
  /// A subset of the axes, as checked_axes() takes it: none stands for all.
  Axes axes(const Shape& shape);
  Real number(Values values);
  Real integer();
  double attribute() { return static_cast<double>(static_cast<float>(number(Values::ordinary))); }

  /// The next input of the op, called a, b, c, … in code: strided, expanded, or overlapping itself.
  void input(const Shape& shape, bool differentiable = true, bool same_as_first = false);
  void input(const Shape& shape, Values values);

  struct Input {
    Tensor tensor;
    Array array;
    std::string code;
    bool differentiable;
    size_t same_as;  ///< its own number, or that of an input which it is
  };
  std::vector<Input> inputs;
  Values values = Values::tie;  ///< of the case
  Input make(const Shape& shape, Values values, DType dtype);
  Input make(const Shape& shape, Values values) { return make(shape, values, dtype); }
  /// The next input holds integers, some of them large.
  void integers(const Shape& shape);
};

/// One call of an op and its reference.
struct Case {
  std::string code;  ///< "sum(a, {0})"
  std::function<Tensor(const std::vector<Tensor>&)> library;
  std::function<Array(const Arrays&)> value;
  /// dL/d(inputs), where g is dL/d(value); none for ops without a derivative.
  std::function<Arrays(const Arrays&, const Array& g)> gradients = nullptr;
};

struct Op {
  std::string name;
  std::function<Case(Draw&)> draw;
  int weight = 1;  ///< how many of the cases it gets
};

struct Failure {
  std::string op, snippet;
  size_t input_elements = 0;
};
struct Outcome {
  int64_t cases = 0, comparisons = 0;
  std::vector<Failure> failures;
};
/// Runs random cases of the ops, at most one failure of each, until there were `comparisons`.
Outcome run(const std::vector<Op>& ops, int64_t comparisons, uint64_t seed);
/// The same as a test: prints the seed, and a program for each failure.
void check(const std::vector<Op>& ops, int64_t comparisons);

// --- kinds of references ------------------------------------------------------------------------

/// Each element of the value is a sum of products of elements of the inputs.
class Polynomial {
 public:
  explicit Polynomial(const Shape& shape) : shape_(shape) {}
  struct Factor {
    size_t input;
    int64_t place;
  };
  /// Starts the next element of the value.
  void element() { elements_.push_back(terms_.size()); }
  /// Adds a term to it.
  void term(std::initializer_list<Factor> factors, Real coefficient = 1) {
    terms_.push_back({coefficient, factors_.size()});
    factors_.insert(factors_.end(), factors);
  }
  void term(const std::vector<Factor>& factors) {
    terms_.push_back({1, factors_.size()});
    factors_.insert(factors_.end(), factors.begin(), factors.end());
  }
  /// The terms are summed one after the other, and subnormal factors may count as 0.
  void one_after_the_other() { slow_ = true; }
  /// Products that share factors are multiplied once: of infinite gradients anything may come.
  void shares_factors() { shares_ = true; }

  Array value(const Arrays& x) const;
  Arrays gradients(const Arrays& x, const Array& g) const;

 private:
  struct Term {
    Real coefficient;
    size_t first;
  };
  size_t end_of(size_t term) const {
    return term + 1 < terms_.size() ? terms_[term + 1].first : factors_.size();
  }
  /// g times the factors of a term but for one of them.
  Number product(const Arrays& x, size_t term, size_t without, const Number& g) const;

  Shape shape_;
  std::vector<size_t> elements_;
  std::vector<Term> terms_;
  std::vector<Factor> factors_;
  bool slow_ = false, shares_ = false;
};
Case case_of(std::string code, std::function<Tensor(const std::vector<Tensor>&)> library,
             Polynomial polynomial);

/// An elementwise function of up to three inputs, which broadcast.
struct Function {
  const char *name, *code;
  int arity;
  Tensor (*library)(const std::vector<Tensor>&);
  Number (*value)(const Number* x);
  /// g · ∂y/∂x for each input.
  void (*partials)(const Number* x, const Number& g, Number* out);
};
Array apply(const Function& f, const Arrays& x);
Arrays gradients(const Function& f, const Arrays& x, const Array& g);

/// A function of the elements of each group, which are those that differ on some axes only: it
/// gives one number, or one for each of them.
struct Grouped {
  Axes axes;  ///< sorted, not negative
  bool keeps_shape, keepdims;
  std::function<std::vector<Number>(const std::vector<Number>& x)> value;
  std::function<std::vector<Number>(const std::vector<Number>& x, const std::vector<Number>& g)>
      gradient;

  Array apply(const Array& x) const;
  Array gradient_of(const Array& x, const Array& g) const;
  Shape result_shape(const Shape& shape) const;
};
std::vector<std::vector<int64_t>> groups(const Shape& shape, const Axes& axes);

/// "{0, 2}"
std::string code_of(const Shape& shape);
std::string code_of(const Axes& axes);
std::string code_of(double number);
std::string code_of_ids(const std::vector<int64_t>& ids, const Shape& shape);

}  // namespace gradus::differential
