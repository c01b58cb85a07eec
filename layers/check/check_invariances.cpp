#include <cmath>
#include <functional>

#include "core/autograd/fused.h"
#include "core/functions/mask.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/tensor.h"
#include "layers/check/check_parts.h"

namespace gradus::detail::check {

namespace {

/// "output 0 at (1, 2) is 0.3 … and 0.5 …", where two lists of outputs differ the most, by more
/// than rounding in float64 explains; empty where they do not. `counts(output, element)` may
/// leave elements out.
std::string difference(const std::vector<Tensor>& a, const char* first,
                       const std::vector<Tensor>& b, const char* second,
                       const std::function<bool(const Tensor&, int64_t)>& counts = {}) {
  std::string text;
  double largest = 1e-9;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].shape() != b[i].shape())
      return fmt::format("output {} is {} {} and {} {}", i, a[i].shape().text(), first,
                         b[i].shape().text(), second);
    const auto x = a[i].to_vector<double>(), y = b[i].to_vector<double>();
    for (size_t k = 0; k < x.size(); ++k) {
      const double apart = std::abs(x[k] - y[k]) / (1 + std::abs(x[k]));
      const auto element = static_cast<int64_t>(k);
      if (apart <= largest || x[k] == y[k] || (std::isnan(x[k]) && std::isnan(y[k])) ||
          (counts && !counts(a[i], element)))
        continue;
      largest = std::isnan(apart) ? INFINITY : apart;
      text = fmt::format("output {} at {} is {:.6g} {} and {:.6g} {}", i,
                         index_of(a[i].shape(), element).text(), x[k], first, y[k], second);
    }
  }
  return text;
}

bool has_axis(const Tensor& x, int axis, int64_t size) {
  return x.rank() > axis && x.shape()[axis] == size;
}

int64_t batch_size(const Call& call) {
  return call.inputs.empty() || call.inputs[0].rank() == 0 ? 0 : call.inputs[0].shape()[0];
}

/// (batch, time) of ones where a mask or the lengths let a position take part.
Tensor attended_positions(const Call& call, int64_t batch) {
  for (const Mask& mask : call.masks) {
    if (!mask.defined() || mask.axes() == Mask::queries_keys) continue;
    Tensor attended = mask.attended();
    if (attended.rank() == 3) attended = max(attended, {1});  // by any query
    if (attended.rank() == 2 && attended.shape()[0] == batch) return attended;
  }
  for (const auto& lengths : call.lengths)
    if (static_cast<int64_t>(lengths.size()) == batch && call.inputs[0].rank() > 1)
      return Mask::lengths(lengths, call.inputs[0].shape()[1]).attended();
  return {};
}

/// x (batch, time, …) with other contents where nobody looks, and more of it behind.
Tensor repadded(const Tensor& x, const std::vector<double>& takes_part, int64_t time,
                int64_t more) {
  Tensor result = contiguous(pad(x.detach(), 1, 0, more));
  const int64_t batch = x.shape()[0], inner = x.numel() / std::max<int64_t>(1, batch * time);
  dispatch(x.dtype(), [&](auto element) {
    using T = decltype(element);
    const std::vector<T> some = x.template to_vector<T>();
    T* values = result.template mutable_data<T>();
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t t = 0; t < time + more; ++t)
        for (int64_t k = 0; k < inner; ++k) {
          if (t < time && takes_part[static_cast<size_t>(b * time + t)] != 0) continue;
          const auto at = static_cast<size_t>((b * (time + more) + t) * inner + k);
          const T other = some[(at * 7 + 3) % some.size()];  // ids stay ids
          values[at] = std::is_floating_point_v<T> ? 10 + 5 * other : other;
        }
  });
  return result;
}

}  // namespace

Finding composition(const Subject& subject) {
  Call fast = copy_of(subject.call, DType::float64), slow = copy_of(fast);
  const std::vector<Tensor> outputs = subject.run(fast, 1);
  const NoFusion of_other_ops;
  const std::string text = difference(outputs, "in one pass", subject.run(slow, 1), "composed");
  if (!text.empty())
    return failed("a fused op and the composition that defines it differ: {}", text);
  return passed("");
}

Finding batch(const Subject& subject) {
  if (subject.is_random) return skipped("rows draw other random numbers than alone");
  Call together = copy_of(subject.call, DType::float64);
  const int64_t size = batch_size(together);
  if (size < 2) return skipped("give two rows or more to have them compared");
  const Call before = copy_of(together);
  const std::vector<Tensor> outputs = subject.run(together, 1);
  if (std::ranges::none_of(outputs, [&](auto& x) { return has_axis(x, 0, size); }))
    return skipped("no output has an axis of {} rows first", size);
  for (int64_t b = 0; b < size; ++b) {
    auto row = [&](const Tensor& x) { return has_axis(x, 0, size) ? slice(x, 0, b, b + 1) : x; };
    Call alone = copy_of(before);
    for (Tensor& x : alone.inputs) x = copies({row(x)})[0];
    for (Mask& mask : alone.masks)
      if (mask.defined() && mask.axes() != Mask::queries_keys && has_axis(mask.attended(), 0, size))
        mask = mask.rows(full({1}, static_cast<double>(b), DType::int64));
    for (auto& lengths : alone.lengths)
      if (static_cast<int64_t>(lengths.size()) == size) lengths = {lengths[static_cast<size_t>(b)]};
    const std::vector<Tensor> mine = subject.run(alone, 1);
    std::vector<Tensor> expected;
    for (size_t i = 0; i < outputs.size(); ++i)
      expected.push_back(has_axis(outputs[i], 0, size) ? row(outputs[i]) : mine[i]);
    const std::string text = difference(expected, "in its batch", mine, "alone");
    if (!text.empty())
      return failed(
          "of row {}, {}. Rows must not look at each other: does an op reduce or reshape over the "
          "first axis?",
          b, text);
  }
  return passed("each of {} rows gives alone what it gives in its batch", size);
}

Finding padding(const Subject& subject) {
  if (subject.is_random) return skipped("padding would change which random numbers are drawn");
  const Call before = copy_of(subject.call, DType::float64);
  const int64_t batch = batch_size(before);
  const Tensor attended = attended_positions(before, batch);
  if (!attended.defined()) return skipped("the case has neither a mask (batch, time) nor lengths");
  const int64_t time = attended.shape()[1];
  const std::vector<double> takes_part = attended.to_vector<double>();
  auto is_sequence = [&](const Tensor& x) { return has_axis(x, 0, batch) && has_axis(x, 1, time); };
  auto counts = [&](const Tensor& x, int64_t element) {
    return !is_sequence(x) ||
           takes_part[static_cast<size_t>(element / (x.numel() / (batch * time)))] != 0;
  };
  Call call = copy_of(before);
  const std::vector<Tensor> outputs = subject.run(call, 1);
  for (const int64_t more : {0, 3}) {
    Call padded = copy_of(before);
    for (Tensor& x : padded.inputs)
      if (is_sequence(x)) x = repadded(x, takes_part, time, more);
    for (Mask& mask : padded.masks) {
      if (!mask.defined() || mask.shape().back() != time) continue;
      Tensor ones = pad(mask.attended(), -1, 0, more);
      const bool of_pairs = mask.axes() == Mask::queries_keys || ones.rank() >= 3;
      if (of_pairs && ones.size(-2) == time) ones = pad(ones, -2, 0, more);
      mask = mask.lengths().empty() ? Mask::attend(ones, mask.axes())
                                    : Mask::lengths(mask.lengths(), time + more);
    }
    std::vector<Tensor> trimmed = subject.run(padded, 1);
    for (size_t i = 0; i < outputs.size(); ++i)
      for (int axis = 0; axis < trimmed[i].rank() && trimmed[i].rank() == outputs[i].rank(); ++axis)
        trimmed[i] = slice(trimmed[i], axis, 0,
                           std::min(trimmed[i].shape()[axis], outputs[i].shape()[axis]));
    const std::string text =
        difference(outputs, "at first", trimmed,
                   more ? "with three more positions of it" : "with other numbers there", counts);
    if (!text.empty())
      return failed(
          "the padding shows: {}. Ignore it before every sum, mean, maximum or softmax over time: "
          "masked_fill(x, mask, 0)",
          text);
  }
  return passed("neither its numbers nor its length change anything");
}

}  // namespace gradus::detail::check
