#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/core/differential/differential.h"

/// Functions of groups of elements: extremes, deviations, norms, and what is made of exponentials
/// and their sums.
namespace gradus::differential {

namespace {

using Inputs = const std::vector<Tensor>&;
using Numbers = std::vector<Number>;

Real size_of_group(const Numbers& x) { return static_cast<Real>(x.size()); }
Real sign_of(const Number& x) { return static_cast<Real>((x.v > 0) - (x.v < 0)); }

template <class Holds>
bool any(const Numbers& x, const Holds& holds) {
  return std::any_of(x.begin(), x.end(), [&](const Number& each) { return holds(each.v); });
}
bool any_nan(const Numbers& x) {
  return any(x, [](Real v) { return std::isnan(v); });
}
bool any_infinite(const Numbers& x) {
  return any(x, [](Real v) { return std::isinf(v); });
}
bool reaches_infinity(const Numbers& x) {
  return any(x, [](Real v) { return v == infinity; });
}

Number largest_of(const Numbers& x) {
  Real y = -infinity;
  for (const Number& each : x)
    y = std::isnan(each.v) || std::isnan(y) ? not_a_number : std::max(y, each.v);
  return y;
}
/// g, shared equally among the elements that are `y`.
Numbers shared_among(const Numbers& x, const Number& y, const Number& g) {
  Real ties = 0;
  for (const Number& each : x) ties += each.v == y.v;
  Numbers result;
  for (const Number& each : x)
    result.push_back(std::isnan(y.v) ? anything()
                     : each.v == y.v ? Number(1 / ties) * g
                                     : Number(0));
  return result;
}

// --- exponentials -------------------------------------------------------------------------------

/// x without its largest, their exponentials, and the sum of these.
struct Exponentials {
  Real shift;
  Numbers shifted, e;
  Number total;
  explicit Exponentials(const Numbers& x) {
    shift = largest_of(x).v;
    if (!std::isfinite(shift)) shift = 0;
    for (const Number& each : x) {
      shifted.push_back(each - Number(shift));
      e.push_back(exp(shifted.back()));
    }
    total = sum(e);
  }
};

Numbers logsumexp_of(const Numbers& x) {
  const Exponentials parts(x);
  return {log(parts.total) + Number(parts.shift)};
}
Numbers logsumexp_gradient(const Numbers& x, const Numbers& g) {
  if (reaches_infinity(x) && !any_nan(x)) return shared_among(x, infinity, g[0]);
  const Exponentials parts(x);
  const Number y = logsumexp_of(x)[0];
  Numbers result;
  for (const Number& each : x)
    result.push_back(parts.total.v == 0 ? Number(0) : g[0] * exp(each - y));
  return result;
}

Numbers softmax_of(const Numbers& x) {
  const Exponentials parts(x);
  Numbers y;
  for (const Number& e : parts.e)
    y.push_back(reaches_infinity(x)  ? anything()
                : parts.total.v == 0 ? Number(0)
                                     : e / parts.total);
  return y;
}
Numbers softmax_gradient(const Numbers& x, const Numbers& g) {
  const Numbers y = softmax_of(x);
  Sum flowing;
  for (size_t i = 0; i < x.size(); ++i) flowing.add(g[i] * y[i]);
  Numbers result;
  for (size_t i = 0; i < x.size(); ++i)
    result.push_back(reaches_infinity(x) ? anything() : y[i] * (g[i] - flowing.total()));
  return result;
}

Numbers log_softmax_of(const Numbers& x) {
  const Exponentials parts(x);
  Numbers y;
  for (const Number& shifted : parts.shifted)
    y.push_back(reaches_infinity(x)  ? anything()
                : parts.total.v == 0 ? Number(-infinity)
                                     : shifted - log(parts.total));
  return y;
}
Numbers log_softmax_gradient(const Numbers& x, const Numbers& g) {
  const Numbers y = log_softmax_of(x);
  const Number total = sum(g);
  Numbers result;
  for (size_t i = 0; i < x.size(); ++i)
    result.push_back(reaches_infinity(x) ? anything() : g[i] - exp(y[i]) * total);
  return result;
}

// --- deviations ---------------------------------------------------------------------------------

/// x − mean(x). The mean may be rounded, but what that left is taken out as well.
Numbers deviations(const Numbers& x) {
  const Number mean = sum(x) / Number(size_of_group(x));
  Real largest = 0, size = 0;
  for (const Number& each : x) {
    largest = std::max(largest, std::abs(each.v - mean.v));
    size = std::max(size, std::abs(each.v));
  }
  const Real eps = precision.epsilon;
  Numbers d;
  for (const Number& each : x) {
    const Real v = std::isfinite(mean.v) ? each.v - mean.v : not_a_number;
    d.push_back(
        {v,
         eps * (std::abs(v) + 2 * largest) +
             (16 * eps * eps + size_of_group(x) * std::numeric_limits<Real>::epsilon()) * size +
             2 * precision.smallest,
         peak_of(mean)});
    if (x.size() == 1 && v == 0) d.back().e = 0;
  }
  return d;
}
Number sum_of_squares(const Numbers& d) {
  Sum squares;
  for (const Number& each : d) squares.add(each * each);
  return squares.total();
}
Number variance_of(const Numbers& x, Real correction) {
  const Number squares = sum_of_squares(deviations(x));
  const Real n = std::max<Real>(0, size_of_group(x) - correction);
  if (n == 0 && squares.v > 0 && squares.v <= 2 * squares.e) return anything();  // 0 / 0 or ∞
  return squares / Number(n);
}
/// The largest gradient of a group may overflow its mean, which is taken out of each.
Numbers with_common_peak(Numbers gradient) {
  Real peak = 0;
  for (const Number& each : gradient)
    if (std::isfinite(each.v)) peak = std::max(peak, std::abs(each.v) * size_of_group(gradient));
  for (Number& each : gradient) each.peak = std::max(each.peak, peak);
  return gradient;
}
Numbers variance_gradient(const Numbers& x, const Numbers& g, Real correction) {
  if (size_of_group(x) <= correction) return Numbers(x.size(), anything());  // 1 / 0
  Numbers result;
  for (const Number& d : deviations(x))
    result.push_back(loosened(
        Number(2) * d * (g[0] / Number(std::max<Real>(0, size_of_group(x) - correction))), 2));
  return with_common_peak(result);
}
Numbers deviation_gradient(const Numbers& x, const Numbers& g, Real correction) {
  const Real n = std::max<Real>(0, size_of_group(x) - correction);
  const Number deviation = sqrt(variance_of(x, correction));
  Numbers result;
  for (const Number& d : deviations(x)) {
    if (n == 0)  // the deviation is ∞ or NaN
      result.push_back(anything());
    else if (deviation.v <= 2 * deviation.e)  // all are equal: what is left is rounding
      result.push_back(
          {0, 2 * std::abs(g[0].v) / std::sqrt(n) + precision.smallest,
           std::max(peak_of(deviation), std::abs(g[0].v) / (deviation.e + precision.smallest))});
    else
      result.push_back(loosened(g[0] / (Number(2) * deviation) / Number(n) * (Number(2) * d), 3));
  }
  return with_common_peak(result);
}

// --- norms --------------------------------------------------------------------------------------

Number norm_of(const Numbers& x, Real p) {
  if (any_nan(x)) return not_a_number;
  Number largest = Real{0};
  for (const Number& each : x) largest.v = std::max(largest.v, std::abs(each.v));
  if (p == infinity || largest.v == 0 || std::isinf(largest.v)) return largest;
  if (p == 1) {
    Sum total;
    for (const Number& each : x) total.add(abs(each));
    return total.total();
  }
  Sum total;
  for (const Number& each : x) total.add(pow(abs(each) / largest, p));
  return largest * pow(total.total(), 1 / p);
}
Numbers norm_gradient(const Numbers& x, const Numbers& g, Real p) {
  const Number y = norm_of(x, p);
  if (any_nan(x) || any_infinite(x)) return Numbers(x.size(), anything());
  Real ties = 0, largest = 0;
  for (const Number& each : x) {
    ties += std::abs(each.v) == y.v;
    largest = std::max(largest, std::abs(each.v));
  }
  Numbers result;
  for (const Number& each : x) {
    const Number direction = Number(sign_of(each)) * g[0];
    if (y.v == 0)
      result.push_back(Number(0));
    else if (p == 1)
      result.push_back({direction.v, 0, 0});
    else if (p == infinity)
      result.push_back(std::abs(each.v) == y.v ? direction * Number(1 / ties) : Number(0));
    else
      result.push_back(loosened(direction * pow(abs(each) / y, p - 1), 4));
    // The root's derivative by the largest element, which is divided out again, may overflow.
    result.back().peak = std::max(result.back().peak, std::abs(g[0].v) * y.v);
    result.back().e += 8 * precision.smallest / largest;  // or become subnormal
  }
  return result;
}

// --- cases --------------------------------------------------------------------------------------

Axes every(const Axes& axes, const Shape& shape) {
  Axes result = axes;
  if (axes.empty())
    for (int axis = 0; axis < shape.rank(); ++axis) result.push_back(axis);
  return result;
}

using Value = std::function<Numbers(const Numbers&)>;
using Gradient = std::function<Numbers(const Numbers&, const Numbers&)>;

/// A reduction over any set of axes. `code` and `library` get the axes and keepdims.
Case reduction(Draw& draw, const std::string& before, const std::string& after,
               std::function<Tensor(const Tensor&, const Axes&, bool)> library, Value value,
               Gradient gradient, int64_t most = 3000) {
  const Shape shape = draw.shape(0, 6, most);
  draw.input(shape);
  const Axes axes = draw.axes(shape);
  const bool kept = draw.one_in(2);
  const Grouped grouped{every(axes, shape), false, kept, std::move(value), std::move(gradient)};
  return {fmt::format("{}{}, {}{})", before, code_of(axes), kept, after),
          [=](Inputs x) { return library(x[0], axes, kept); },
          [=](const Arrays& x) { return grouped.apply(x[0]); },
          [=](const Arrays& x, const Array& g) { return Arrays{grouped.gradient_of(x[0], g)}; }};
}

Case draw_extreme(Draw& draw, bool smallest) {
  auto negated = [smallest](Numbers x) {
    for (Number& each : x)
      if (smallest) each = -each;
    return x;
  };
  return reduction(
      draw, smallest ? "min(a, " : "max(a, ", "",
      [=](const Tensor& x, const Axes& axes, bool kept) {
        return smallest ? min(x, axes, kept) : max(x, axes, kept);
      },
      [=](const Numbers& x) { return negated({largest_of(negated(x))}); },
      [=](const Numbers& x, const Numbers& g) {
        return shared_among(negated(x), largest_of(negated(x)), g[0]);
      });
}

Case draw_logsumexp(Draw& draw) {
  return reduction(
      draw, "logsumexp(a, ", "",
      [](const Tensor& x, const Axes& axes, bool kept) { return logsumexp(x, axes, kept); },
      logsumexp_of, logsumexp_gradient);
}

Case draw_var(Draw& draw, bool root) {
  static constexpr double corrections[] = {1, 0, 0.5, 3};
  const double correction = corrections[draw.between(0, 3)];
  return reduction(
      draw, root ? "stddev(a, " : "var(a, ", fmt::format(", {}", correction),
      [=](const Tensor& x, const Axes& axes, bool kept) {
        return root ? stddev(x, axes, kept, correction) : var(x, axes, kept, correction);
      },
      [=](const Numbers& x) {
        const Number v = variance_of(x, correction);
        return Numbers{root ? sqrt(v) : v};
      },
      [=](const Numbers& x, const Numbers& g) {
        return root ? deviation_gradient(x, g, correction) : variance_gradient(x, g, correction);
      });
}

Case draw_norm(Draw& draw) {
  static constexpr double orders[] = {2, 1, 3, 1.5, INFINITY};
  const double p = orders[draw.between(0, 4)];
  return reduction(
      draw, fmt::format("norm(a, {}, ", code_of(p)), "",
      [=](const Tensor& x, const Axes& axes, bool kept) { return norm(x, p, axes, kept); },
      [=](const Numbers& x) { return Numbers{norm_of(x, p)}; },
      [=](const Numbers& x, const Numbers& g) { return norm_gradient(x, g, p); });
}

Case draw_softmax(Draw& draw, bool logarithm) {
  const Shape shape = draw.shape(1, 5, 3000);
  draw.input(shape);
  const int axis = draw.axis(shape);
  const bool has_mask = !logarithm && draw.one_in(2);
  const Shape mask_shape = draw.broadcasting(shape);
  Draw::Input ones = draw.make(mask_shape, Values::tie);
  for (Number& each : ones.array.values) each = each.v > 0 ? 1 : 0;
  const Mask mask = has_mask ? Mask::attend(greater(ones.tensor, 0)) : Mask();
  const Grouped grouped{{axis},
                        true,
                        false,
                        logarithm ? log_softmax_of : softmax_of,
                        logarithm ? log_softmax_gradient : softmax_gradient};
  auto attended = [=](Array x, const Number& ignored) {
    if (has_mask)
      for_each_index(shape, [&](const Shape& index, int64_t place) {
        if (ones.array[broadcast_place(index, mask_shape)].v == 0) x[place] = ignored;
      });
    return x;
  };
  return {fmt::format("{}(a, {}{})", logarithm ? "log_softmax" : "softmax", axis,
                      has_mask ? fmt::format(", Mask::attend(greater({}, 0))", ones.code) : ""),
          [=](Inputs x) { return logarithm ? log_softmax(x[0], axis) : softmax(x[0], axis, mask); },
          [=](const Arrays& x) { return grouped.apply(attended(x[0], Number(-infinity))); },
          [=](const Arrays& x, const Array& g) {
            return Arrays{
                attended(grouped.gradient_of(attended(x[0], Number(-infinity)), g), Number(0))};
          }};
}

Case draw_layer_norm(Draw& draw) {
  const Shape shape = draw.shape(1, 5, 3000);
  const int64_t n = shape.back();
  draw.input(shape);
  const bool has_weight = draw.one_in(2), has_bias = draw.one_in(2);
  if (has_weight) draw.input(Shape{n});
  if (has_bias) draw.input(Shape{n});
  static constexpr double epsilons[] = {1e-5, 1e-3, 1e-12};
  const double epsilon = epsilons[draw.between(0, 2)];
  // Of a row: the deviations, and 1 / √(variance + epsilon).
  struct Row {
    Numbers d;
    Number r;
    Row(const Numbers& x, double epsilon) : d(deviations(x)) {
      r = Number(1) / sqrt(sum_of_squares(d) / Number(size_of_group(x)) + rounded(epsilon, 0, 0));
      // What the mean left is only taken out where it matters.
      for (Number& each : d) each.e += precision.epsilon / r.v / 2;
    }
  };
  const int last = shape.rank() - 1;
  auto weight = [=](const Arrays& x, size_t i) { return has_weight ? x[1].values[i] : Number(1); };
  auto row_of = [=](const Array& x, const std::vector<int64_t>& places) {
    Numbers row;
    for (int64_t place : places) row.push_back(x[place]);
    return row;
  };
  return {fmt::format("layer_norm(a, {}, {}, {})", has_weight ? "b" : "Tensor()",
                      has_bias ? has_weight ? "c" : "b" : "Tensor()", epsilon),
          [=](Inputs x) {
            return layer_norm(x[0], has_weight ? x[1] : Tensor(),
                              has_bias ? x[has_weight ? 2 : 1] : Tensor(), epsilon);
          },
          [=](const Arrays& x) {
            Array y(shape);
            for (const auto& places : groups(shape, {last})) {
              const Row row(row_of(x[0], places), epsilon);
              for (size_t i = 0; i < places.size(); ++i) {
                y[places[i]] = row.d[i] * row.r * weight(x, i);
                if (std::isinf(weight(x, i).v) && std::abs(row.d[i].v) <= row.d[i].e)
                  y[places[i]] = anything();
                // In any order: a part may be subnormal.
                y[places[i]].e += precision.smallest * (row.r.v + std::abs(row.d[i].v));
                if (has_bias) y[places[i]] = y[places[i]] + x[has_weight ? 2 : 1].values[i];
              }
            }
            return y;
          },
          [=](const Arrays& x, const Array& g) {
            Arrays result{Array(shape)};
            std::vector<Sum> dw(static_cast<size_t>(n)), db(static_cast<size_t>(n));
            for (const auto& places : groups(shape, {last})) {
              const Row row(row_of(x[0], places), epsilon);
              Sum sum_u, sum_ud;
              Numbers u;
              for (size_t i = 0; i < places.size(); ++i) {
                u.push_back(g[places[i]] * weight(x, i));
                sum_u.add(u[i]);
                sum_ud.add(u[i] * row.d[i]);
                dw[i].add(g[places[i]] * row.d[i] * row.r);
                db[i].add(g[places[i]]);
              }
              const Number size = Real{static_cast<Real>(n)};
              if (any_infinite(u)) {
                for (int64_t place : places) result[0][place] = anything();
                continue;
              }
              for (size_t i = 0; i < places.size(); ++i)
                result[0][places[i]] =
                    loosened(row.r * u[i] - row.r * (sum_u.total() / size) -
                                 row.d[i] * (row.r * row.r * row.r * (sum_ud.total() / size)),
                             2);
            }
            for (const auto* sums : {has_weight ? &dw : nullptr, has_bias ? &db : nullptr}) {
              if (!sums) continue;
              Array total(Shape{n});
              for (size_t i = 0; i < sums->size(); ++i) total.values[i] = (*sums)[i].total();
              result.push_back(total);
            }
            return result;
          }};
}

Case draw_cross_entropy(Draw& draw) {
  Shape shape = draw.shape(1, 4, 3000);
  const int last = shape.rank() - 1;
  shape[last] = std::max<int64_t>(shape[last], 1);
  const int64_t classes = shape.back();
  draw.input(shape);
  const Shape rows = shape.without(last);
  const int64_t ignored = draw.one_in(2) ? -100 : draw.between(0, classes - 1);
  std::vector<int64_t> targets(static_cast<size_t>(rows.numel()));
  for (int64_t& target : targets) target = draw.one_in(5) ? ignored : draw.between(0, classes - 1);
  static constexpr double smoothings[] = {0, 0.1, 0.5, 1};
  const double smoothing = smoothings[draw.between(0, 3)];
  const auto reduction = static_cast<Reduction>(draw.between(0, 2));
  const Tensor target_tensor = tensor(targets, rows);
  const auto counted =
      std::count_if(targets.begin(), targets.end(), [=](auto t) { return t != ignored; });
  const Real s = smoothing, k = static_cast<Real>(classes);
  auto share = [=](size_t row, size_t i) {  // the target's probability of a class
    return Number((static_cast<int64_t>(i) == targets[row] ? 1 - s : 0) + s / k);
  };
  auto members = [=](const Array& x, size_t row) {
    Numbers result;
    for (int64_t i = 0; i < classes; ++i)
      result.push_back(x[static_cast<int64_t>(row) * classes + i]);
    return result;
  };
  auto losses = [=](const Array& x) {
    Array y(rows);
    for (size_t row = 0; row < targets.size(); ++row) {
      if (targets[row] == ignored) continue;
      const Numbers logits = members(x, row);
      const Numbers logs = log_softmax_of(logits);
      Sum total;
      for (size_t i = 0; i < logs.size(); ++i)
        if (share(row, i).v != 0)
          total.add(rounded(-logs[i].v * share(row, i).v, logs[i].e * share(row, i).v,
                            peak_of(logs[i]), 3));
      const bool is_open =
          reaches_infinity(logits) || (largest_of(logits).v == -infinity && !any_nan(logits));
      y.values[row] = is_open ? anything() : loosened(total.total(), 2);
      if (any_nan(logits)) y.values[row] = not_a_number;
    }
    return y;
  };
  const char* names[] = {"mean", "sum", "none"};
  return {fmt::format(
              "cross_entropy(a, {}, {{.ignored_class = {}, .label_smoothing = {}, .reduction = "
              "Reduction::{}}})",
              code_of_ids(targets, rows), ignored, smoothing, names[static_cast<int>(reduction)]),
          [=](Inputs x) {
            return cross_entropy(
                x[0], target_tensor,
                {.ignored_class = ignored, .label_smoothing = smoothing, .reduction = reduction});
          },
          [=](const Arrays& x) {
            const Array each = losses(x[0]);
            if (reduction == Reduction::none) return each;
            Array total{Shape{}};
            total[0] = sum(each.values);
            if (reduction == Reduction::mean)
              total[0] = total[0] / Number(std::max<Real>(1, counted));
            return total;
          },
          [=](const Arrays& x, const Array& g) {
            Array dx(shape);
            for (size_t row = 0; row < targets.size(); ++row) {
              if (targets[row] == ignored) continue;
              const Numbers logits = members(x[0], row), y = softmax_of(logits);
              Number flowing = reduction == Reduction::none ? g.values[row] : g.values[0];
              if (reduction == Reduction::mean)
                flowing = flowing / Number(static_cast<Real>(counted));
              for (size_t i = 0; i < y.size(); ++i)
                dx[static_cast<int64_t>(row) * classes + static_cast<int64_t>(i)] =
                    reaches_infinity(logits) ? anything()
                                             : (y[i] - rounded(share(row, i).v, 0, 0, 2)) * flowing;
            }
            return Arrays{dx};
          }};
}

}  // namespace

TEST_CASE("extremes, deviations and norms over any axes of random tensors are within their ulps") {
  check({{"max", [](Draw& draw) { return draw_extreme(draw, false); }},
         {"min", [](Draw& draw) { return draw_extreme(draw, true); }},
         {"var", [](Draw& draw) { return draw_var(draw, false); }},
         {"stddev", [](Draw& draw) { return draw_var(draw, true); }},
         {"norm", draw_norm}},
        1'500'000);
}

TEST_CASE("what is made of exponentials and their sums is within its ulps for random tensors") {
  check({{"logsumexp", draw_logsumexp},
         {"softmax", [](Draw& draw) { return draw_softmax(draw, false); }},
         {"log_softmax", [](Draw& draw) { return draw_softmax(draw, true); }},
         {"cross_entropy", draw_cross_entropy}},
        1'500'000);
}

TEST_CASE("layer_norm of random tensors is within its ulps") {
  check({{"layer_norm", draw_layer_norm}}, 1'000'000);
}

}  // namespace gradus::differential
