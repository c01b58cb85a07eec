#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/core/differential/differential.h"

/// int64, which is exact and wraps around at 2⁶³: arithmetic, comparisons, and what adds up,
/// compares or moves elements.
namespace gradus::differential {

namespace {

using Inputs = const std::vector<Tensor>&;

int64_t wrapped(unsigned __int128 x) { return static_cast<int64_t>(static_cast<uint64_t>(x)); }
int64_t add(int64_t a, int64_t b) {
  return wrapped(static_cast<unsigned __int128>(a) + static_cast<unsigned __int128>(b));
}
int64_t multiply(int64_t a, int64_t b) {
  return wrapped(static_cast<unsigned __int128>(a) * static_cast<unsigned __int128>(b));
}
/// ⌊a / b⌋, by counting down from the quotient that C++ rounds towards zero.
int64_t floor_of_quotient(int64_t a, int64_t b) {
  const __int128 x = a, y = b;
  __int128 quotient = x / y;
  while (y > 0 ? quotient * y > x : quotient * y < x) --quotient;
  return wrapped(static_cast<unsigned __int128>(quotient));
}
int64_t remainder_of(int64_t a, int64_t b) {
  return add(a, wrapped(-static_cast<unsigned __int128>(multiply(floor_of_quotient(a, b), b))));
}

struct IntegerFunction {
  const char* code;
  int arity;
  Tensor (*library)(Inputs);
  int64_t (*value)(int64_t a, int64_t b, int64_t c);
  bool divides = false;
};
using I = int64_t;
const std::vector<IntegerFunction> functions{
    {"a + b", 2, [](Inputs x) { return x[0] + x[1]; }, [](I a, I b, I) { return add(a, b); }},
    {"a - b", 2, [](Inputs x) { return x[0] - x[1]; },
     [](I a, I b, I) { return add(a, multiply(b, -1)); }},
    {"a * b", 2, [](Inputs x) { return x[0] * x[1]; }, [](I a, I b, I) { return multiply(a, b); }},
    {"-a", 1, [](Inputs x) { return -x[0]; }, [](I a, I, I) { return multiply(a, -1); }},
    {"3 - a", 1, [](Inputs x) { return 3 - x[0]; },
     [](I a, I, I) { return add(3, multiply(a, -1)); }},
    {"floor_divide(a, b)", 2, [](Inputs x) { return floor_divide(x[0], x[1]); },
     [](I a, I b, I) { return floor_of_quotient(a, b); }, true},
    {"remainder(a, b)", 2, [](Inputs x) { return remainder(x[0], x[1]); },
     [](I a, I b, I) { return remainder_of(a, b); }, true},
    {"greater(a, b)", 2, [](Inputs x) { return greater(x[0], x[1]); },
     [](I a, I b, I) -> I { return a > b; }},
    {"greater_equal(a, b)", 2, [](Inputs x) { return greater_equal(x[0], x[1]); },
     [](I a, I b, I) -> I { return a >= b; }},
    {"less(a, b)", 2, [](Inputs x) { return less(x[0], x[1]); },
     [](I a, I b, I) -> I { return a < b; }},
    {"less_equal(a, b)", 2, [](Inputs x) { return less_equal(x[0], x[1]); },
     [](I a, I b, I) -> I { return a <= b; }},
    {"equal(a, b)", 2, [](Inputs x) { return equal(x[0], x[1]); },
     [](I a, I b, I) -> I { return a == b; }},
    {"where(a, b, c)", 3, [](Inputs x) { return where(x[0], x[1], x[2]); },
     [](I a, I b, I c) { return a != 0 ? b : c; }},
    {"maximum(a, b)", 2, [](Inputs x) { return maximum(x[0], x[1]); },
     [](I a, I b, I) { return std::max(a, b); }},
    {"minimum(a, b)", 2, [](Inputs x) { return minimum(x[0], x[1]); },
     [](I a, I b, I) { return std::min(a, b); }},
    {"abs(a)", 1, [](Inputs x) { return abs(x[0]); },
     [](I a, I, I) { return a < 0 ? multiply(a, -1) : a; }},
    {"sign(a)", 1, [](Inputs x) { return sign(x[0]); },
     [](I a, I, I) -> I { return (a > 0) - (a < 0); }},
    {"relu(a)", 1, [](Inputs x) { return relu(x[0]); },
     [](I a, I, I) { return std::max<I>(a, 0); }},
    {"clamp(a, -2, 3)", 1, [](Inputs x) { return clamp(x[0], -2, 3); },
     [](I a, I, I) { return std::min<I>(std::max<I>(a, -2), 3); }},
};

I whole(const Number& x) { return static_cast<I>(x.v); }

Op op_of(const IntegerFunction& f) {
  return {f.code, [f](Draw& draw) {
            const Shape shape = draw.shape();
            for (int i = 0; i < f.arity; ++i)
              draw.integers(i + 1 == f.arity ? shape : draw.broadcasting(shape));
            if (f.divides) {  // by zero is an error
              Draw::Input& b = draw.inputs[1];
              b.tensor = where(equal(b.tensor, 0), 7, b.tensor);
              b.code = fmt::format("where(equal({0}, 0), 7, {0})", b.code);
              for (Number& x : b.array.values) x = x.v == 0 ? Number(7) : x;
            }
            Case c;
            c.code = f.code;
            c.library = f.library;
            c.value = [f](const Arrays& x) {
              Shape shape;
              for (const Array& each : x) shape = broadcast(f.code, shape, each.shape);
              Array y(shape);
              for_each_index(shape, [&](const Shape& index, int64_t place) {
                I operands[3] = {};
                for (size_t i = 0; i < x.size(); ++i)
                  operands[i] = whole(x[i][broadcast_place(index, x[i].shape)]);
                y[place] = static_cast<Real>(f.value(operands[0], operands[1], operands[2]));
              });
              return y;
            };
            return c;
          }};
}

/// sum, max, min and prod over any axes, cumsum and cumprod along one.
Case draw_fold(Draw& draw) {
  const auto kind = draw.between(0, 5);
  const bool scans = kind >= 4;
  Shape shape = draw.shape(scans ? 1 : 0, 5, 600);
  if (kind == 1 || kind == 2)  // of none is an error
    for (int axis = 0; axis < shape.rank(); ++axis) shape[axis] = std::max<int64_t>(shape[axis], 1);
  draw.integers(shape);
  const Axes axes = scans ? Axes{draw.axis(shape)} : draw.axes(shape);
  const bool kept = !scans && draw.one_in(2);
  Axes every = axes;
  if (axes.empty())
    for (int axis = 0; axis < shape.rank(); ++axis) every.push_back(axis);
  auto fold = [kind](I total, I x) {
    return kind == 1                ? std::max(total, x)
           : kind == 2              ? std::min(total, x)
           : kind == 3 || kind == 5 ? multiply(total, x)
                                    : add(total, x);
  };
  const Grouped grouped{every, scans, kept,
                        [=](const std::vector<Number>& x) {
                          std::vector<Number> y;
                          I total = kind == 1                ? std::numeric_limits<I>::min()
                                    : kind == 2              ? std::numeric_limits<I>::max()
                                    : kind == 3 || kind == 5 ? 1
                                                             : 0;
                          for (const Number& each : x) {
                            total = fold(total, whole(each));
                            y.push_back(Number(static_cast<Real>(total)));
                          }
                          if (!scans) y = {Number(static_cast<Real>(total))};
                          return y;
                        },
                        nullptr};
  const char* names[] = {"sum", "max", "min", "prod", "cumsum", "cumprod"};
  Case c;
  c.code = scans ? fmt::format("{}(a, {})", names[kind], axes[0])
                 : fmt::format("{}(a, {}, {})", names[kind], code_of(axes), kept);
  c.library = [=](Inputs x) {
    switch (kind) {
      case 0:
        return sum(x[0], axes, kept);
      case 1:
        return max(x[0], axes, kept);
      case 2:
        return min(x[0], axes, kept);
      case 3:
        return prod(x[0], axes, kept);
      case 4:
        return cumsum(x[0], axes[0]);
      default:
        return cumprod(x[0], axes[0]);
    }
  };
  c.value = [=](const Arrays& x) { return grouped.apply(x[0]); };
  return c;
}

/// argmax, argmin, sort and argsort: by counting, for each element, those that come before it; of
/// equal ones those on its left, or, for the `last` of the largest, on its right.
Case draw_order(Draw& draw) {
  const auto kind = draw.between(0, 3);
  Shape shape = draw.shape(1, 4, 300);
  const int axis = draw.axis(shape);
  if (kind < 2) shape[axis] = std::max<int64_t>(shape[axis], 1);
  draw.integers(shape);
  const bool descending = kind == 0 || (kind > 1 && draw.one_in(2));
  const bool last = kind < 2 && draw.one_in(2);
  const Grouped grouped{{axis},
                        kind > 1,
                        false,
                        [=](const std::vector<Number>& x) {
                          std::vector<Number> y(x.size());
                          for (size_t i = 0; i < x.size(); ++i) {
                            size_t before = 0;
                            for (size_t k = 0; k < x.size(); ++k)
                              before += descending ? x[k].v > x[i].v : x[k].v < x[i].v;
                            for (size_t k = 0; k < x.size(); ++k)
                              before += x[k].v == x[i].v && (last ? k > i : k < i);
                            y[before] = kind == 3 ? x[i] : Number(static_cast<Real>(i));
                          }
                          if (kind < 2) y.resize(1);
                          return y;
                        },
                        nullptr};
  const std::string codes[] = {fmt::format("argmax(a, {}, {})", axis, last),
                               fmt::format("argmin(a, {}, {})", axis, last),
                               fmt::format("argsort(a, {}, {})", axis, descending),
                               fmt::format("sort(a, {}, {}).values", axis, descending)};
  Case c;
  c.code = codes[kind];
  c.library = [=](Inputs x) {
    switch (kind) {
      case 0:
        return argmax(x[0], axis, last);
      case 1:
        return argmin(x[0], axis, last);
      case 2:
        return argsort(x[0], axis, descending);
      default:
        return sort(x[0], axis, descending).values;
    }
  };
  c.value = [=](const Arrays& x) { return grouped.apply(x[0]); };
  return c;
}

/// What moves elements is the same for every dtype; here in one chain.
Case draw_movement(Draw& draw) {
  const Shape shape = draw.shape(1, 5, 600);
  draw.integers(shape);
  const int axis = draw.axis(shape);
  const int64_t begin = draw.between(0, shape[axis]);
  const Shape to = shape.with(axis, shape[axis] - begin + 2);
  Case c;
  c.code =
      fmt::format("transpose(pad(slice(transpose(a, {0}, 0), 0, {1}, {2}), 0, 1, 1, 5), {0}, 0)",
                  axis, begin, shape[axis]);
  c.library = [=](Inputs x) {
    const Tensor part = slice(transpose(x[0], axis, 0), 0, begin, shape[axis]);
    return transpose(pad(part, 0, 1, 1, 5), axis, 0);
  };
  c.value = [=](const Arrays& x) {
    Array y(to);
    for_each_index(to, [&](Shape index, int64_t place) {
      const int64_t at = index[axis] - 1;
      index[axis] = at + begin;
      y[place] = at < 0 || at >= shape[axis] - begin ? Number(5) : x[0][place_of(index, shape)];
    });
    return y;
  };
  return c;
}

}  // namespace

TEST_CASE("ops of random int64 tensors are exact and wrap around") {
  std::vector<Op> ops{
      {"folds", draw_fold, 5}, {"order", draw_order, 3}, {"movement", draw_movement}};
  for (const IntegerFunction& f : functions) ops.push_back(op_of(f));
  check(ops, 500'000);
}

}  // namespace gradus::differential
