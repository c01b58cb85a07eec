#include "core/trace/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/autograd/autograd.h"
#include "core/functions/gradient_check.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/tensor.h"

namespace gradus {

namespace {

constexpr int64_t one_by_one = 64;  // elements of an input

/// How far to move, and what differences are due to rounding: relative to the derivative, and to
/// the value.
struct Accuracy {
  double h, relative, rounding;
};
constexpr Accuracy in_float64{1e-5, 1e-6, 1e-8}, in_float32{1e-2, 1e-3, 1e-4};

/// What the rule and what differences say of the derivative along one direction.
struct Comparison {
  double rule, difference, tolerance;
  int64_t without_part;  ///< of the elements that moved
  bool agrees() const { return std::abs(rule - difference) <= tolerance; }  // not for NaN
};

/// Why an element of the value takes no part.
enum LeftOut : char { nothing, not_finite, kink };

class Check {
 public:
  Check(const Trace& trace, int number)
      : op_(trace.node(number).op),
        rule_(trace.rule(number)),
        forward_(trace.forward(number)),
        inputs_(),
        pause_() {
    for (int input : trace.node(number).inputs) {
      const Tensor& x = trace.node(input).value.values();
      inputs_.push_back(x.is_float() ? contiguous(cast(x, DType::float64)) : x);
      wanted_.push_back(trace.node(input).kind != TraceNode::Kind::constant && x.is_float());
    }
    output_ = forward_(inputs_);
    if (output_.shape() != trace.node(number).value.shape())
      throw Error(fmt::format("run again it gives {}, not {}", output_.shape().text(),
                              trace.node(number).value.shape().text()));
    if (output_.dtype() == DType::float32) accuracy_ = in_float32;
    value_ = output_.to_vector<double>();
    weights_ = irregular(output_.shape(), 0);
    left_out_.resize(value_.size(), nothing);
    leave_out([&](size_t i) { return !std::isfinite(value_[i]); }, not_finite, weights_);
    gradients_ = gradients(weights_);
  }

  Verdict verdict() {
    Verdict worst;
    worst.result = Verdict::Result::agrees;
    double farthest = -1;
    int64_t count = 0, without_part = 0;
    for (size_t input = 0; input < inputs_.size(); ++input) {
      if (!wanted_[input]) continue;
      const int64_t n = inputs_[input].numel();
      count += n;
      const std::vector<double> steps = steps_of(input);
      const int64_t batch = n <= one_by_one ? 1 : n;
      for (int64_t begin = 0; begin < n; begin += batch) {
        int64_t size = batch, at = begin;
        Comparison found = compare(input, steps, at, size);
        without_part += found.without_part;
        if (!found.agrees())
          while (size > 1) {  // follow the half that disagrees more
            const int64_t half = size / 2;
            const Comparison first = compare(input, steps, at, half),
                             second = compare(input, steps, at + half, size - half);
            const bool is_first = excess(first) >= excess(second);
            found = is_first ? first : second;
            if (found.agrees()) break;  // only the whole was inaccurate
            at = is_first ? at : at + half;
            size = is_first ? half : size - half;
          }
        if (excess(found) <= farthest) continue;
        farthest = excess(found);
        const double step = size == 1 ? steps[static_cast<size_t>(at)] : 1;
        worst.input = static_cast<int>(input);
        worst.element = size == 1 ? at : -1;
        worst.rule = found.rule / step;
        worst.difference = found.difference / step;
        if (!found.agrees()) worst.result = Verdict::Result::disagrees;
      }
    }
    worst.count = count;
    worst.checked = count - without_part;
    const int64_t infinite = std::ranges::count(left_out_, not_finite),
                  kinks = std::ranges::count(left_out_, kink);
    const auto of_value = [&](int64_t left_out, const char* what) {
      if (left_out > 0)
        worst.reason +=
            fmt::format("{}{} of {} elements of the value {}", worst.reason.empty() ? "" : ", ",
                        left_out, output_.numel(), what);
    };
    of_value(infinite, "are not finite");
    of_value(kinks, "lie on a kink");
    if (worst.result != Verdict::Result::agrees || infinite + kinks == 0) return worst;
    if (infinite + kinks == output_.numel() || worst.checked == 0)
      worst.checked = 0,
      worst.result = infinite > 0 ? Verdict::Result::not_finite : Verdict::Result::unknown;
    else
      worst.reason += " and took no part";
    return worst;
  }

 private:
  static double excess(const Comparison& c) {
    const double excess = std::abs(c.rule - c.difference) / c.tolerance;
    return std::isnan(excess) ? std::numeric_limits<double>::infinity() : excess;
  }

  std::vector<Tensor> gradients(const Tensor& weights) const {
    return apply_rule(op_.c_str(), rule_, inputs_, output_, cast(weights, output_.dtype()),
                      wanted_);
  }

  /// Sets the weights of some elements of the value to 0.
  template <class Out>
  void leave_out(Out out, LeftOut why, Tensor& weights) {
    const std::span<double> w = weights.mutable_span<double>();
    for (size_t i = 0; i < w.size(); ++i)
      if (w[i] != 0 && out(i)) w[i] = 0, left_out_[i] = why;
  }

  /// By how much each element moves, times h: as much as it measures, but not by nothing.
  std::vector<double> steps_of(size_t input) const {
    const std::vector<double> x = inputs_[input].to_vector<double>();
    double squares = 0, count = 0;
    for (double value : x)
      if (std::isfinite(value)) squares += value * value, ++count;
    const double typical = squares > 0 ? std::sqrt(squares / count) : 1;
    const Tensor directions = irregular(inputs_[input].shape(), 0.4);
    std::vector<double> steps = directions.to_vector<double>();
    for (size_t i = 0; i < x.size(); ++i)
      steps[i] = (steps[i] - 0.6) *
                 (std::isfinite(x[i]) ? std::max(std::abs(x[i]), 0.01 * typical) : typical);
    return steps;
  }

  std::vector<double> moved(size_t input, const std::vector<double>& steps, int64_t begin,
                            int64_t count, double h) const {
    std::vector<Tensor> inputs = inputs_;
    inputs[input] = Tensor::uninitialised(inputs_[input].shape(), DType::float64);
    inputs[input].assign(inputs_[input]);
    double* x = inputs[input].mutable_data<double>();
    for (int64_t i = begin; i < begin + count; ++i) x[i] += h * steps[static_cast<size_t>(i)];
    return forward_(inputs).to_vector<double>();
  }

  /// Of the elements of which the rule says nothing finite: sets them to 0 if nothing that takes
  /// part depends on them. Returns their number then.
  int64_t leave_out_without_part(size_t input, std::vector<double> steps, int64_t begin,
                                 int64_t count, const double* weights,
                                 std::vector<double>& rule) const {
    int64_t found = 0;
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(begin + count); ++i)
      std::isfinite(rule[i]) ? steps[i] = 0 : ++found;
    if (found == 0 || std::count(weights, weights + value_.size(), 0) == 0) return 0;
    const std::vector<double> value = moved(input, steps, begin, count, accuracy_.h);
    for (size_t i = 0; i < value_.size(); ++i)
      if (weights[i] != 0 && value[i] != value_[i]) return 0;
    std::ranges::replace_if(
        rule, [](double x) { return !std::isfinite(x); }, 0);
    return found;
  }

  /// Moves `count` elements from `begin` on.
  Comparison compare(size_t input, const std::vector<double>& steps, int64_t begin, int64_t count) {
    const double h = accuracy_.h;
    const std::vector<double> above = moved(input, steps, begin, count, h),
                              below = moved(input, steps, begin, count, -h);
    double squares = 0;
    for (size_t i = 0; i < value_.size(); ++i)
      if (std::isfinite(above[i] - below[i])) squares += std::pow(above[i] - below[i], 2);
    const double typical =
        std::sqrt(squares / std::max<double>(1, static_cast<double>(value_.size())));
    const auto on_kink = [&](size_t i) {
      const double bend = std::abs(above[i] - 2 * value_[i] + below[i]);
      const double change = std::max(std::abs(above[i] - below[i]), typical);
      return bend > 0.01 * change && bend > 100 * h * h * std::abs(value_[i]);
    };
    const auto ends = [&](size_t i) {
      return !std::isfinite(above[i]) || !std::isfinite(below[i]);
    };
    Tensor weights = weights_;
    std::vector<Tensor> gradients = gradients_;
    bool any = false;
    for (size_t i = 0; i < value_.size() && !any; ++i)
      any = std::isfinite(value_[i]) && (ends(i) || on_kink(i));
    if (any) {
      weights = Tensor::uninitialised(weights_.shape(), DType::float64);
      weights.assign(weights_);
      leave_out(ends, not_finite, weights);
      leave_out(on_kink, kink, weights);
      gradients = this->gradients(weights);
    }
    Comparison result{0, 0, 0, 0};
    const double* w = weights.data<double>();
    double value_norm = 0;
    for (size_t i = 0; i < value_.size(); ++i)
      if (w[i] != 0) {
        result.difference += w[i] * (above[i] - below[i]) / (2 * h);
        value_norm += std::pow(w[i] * value_[i], 2);
      }
    double norm = 0;
    if (gradients[input].defined()) {
      std::vector<double> rule = gradients[input].to_vector<double>();
      result.without_part = leave_out_without_part(input, steps, begin, count, w, rule);
      for (int64_t i = begin; i < begin + count; ++i) {
        const double part = rule[static_cast<size_t>(i)] * steps[static_cast<size_t>(i)];
        result.rule += part;
        norm += part * part;
      }
    }
    result.tolerance = accuracy_.relative * std::sqrt(norm) +
                       accuracy_.rounding * std::sqrt(value_norm) +
                       std::numeric_limits<double>::min();
    return result;
  }

  const std::string& op_;
  const Rule& rule_;
  const Forward& forward_;
  std::vector<Tensor> inputs_;
  std::vector<bool> wanted_;
  NoGrad pause_;
  Accuracy accuracy_ = in_float64;
  Tensor output_, weights_;
  std::vector<double> value_;
  std::vector<Tensor> gradients_;
  std::vector<LeftOut> left_out_;  // of the value
};

Verdict verdict_of(const Trace& trace, int number) {
  Verdict unknown;
  unknown.reason = "its record() was not given its computation, so it cannot run again";
  if (!trace.forward(number)) return unknown;
  try {
    return Check(trace, number).verdict();
  } catch (const Error& error) {
    unknown.reason = error.what();
    return unknown;
  }
}

}  // namespace

const Verdict& check(Trace& trace, int number) {
  const TraceNode& node = trace.node(number);
  if (!trace.is_live()) {
    if (node.verdict) return *node.verdict;
    throw Error(
        fmt::format("check: {} has no verdict in this file; only the program that records "
                    "can check",
                    trace.description(number)));
  }
  if (node.kind != TraceNode::Kind::op)
    throw Error(fmt::format("check: {} is not an op, there is no rule to check",
                            trace.description(number)));
  if (!trace.rule(number))
    throw Error(fmt::format("check: {} has no derivative", trace.description(number)));
  if (!node.verdict) trace.set_verdict(number, verdict_of(trace, number));
  return *node.verdict;
}

std::vector<int> check(Trace& trace, const std::function<bool(int done, int of)>& progress) {
  std::vector<int> ops, wrong;
  for (int number = 0; number < trace.size(); ++number) {
    const TraceNode& node = trace.node(number);
    if (trace.is_live() ? node.kind == TraceNode::Kind::op && trace.rule(number)
                        : node.verdict.has_value())
      ops.push_back(number);
  }
  const int count = static_cast<int>(ops.size());
  for (int done = 0; done < count; ++done) {
    if (progress && !progress(done, count)) break;
    const int number = ops[static_cast<size_t>(done)];
    if (check(trace, number).result == Verdict::Result::disagrees) wrong.push_back(number);
  }
  return wrong;
}

}  // namespace gradus
