#include "core/functions/mask.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/ops/gather.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

/// `mask` of (batch, time) before `rank` axes of scores: (batch, 1, …, time).
Mask before_scores(Mask mask, int rank) {
  while (mask.shape().rank() < rank) mask = mask.unsqueeze(1);
  return mask;
}

int64_t last_attended(const Tensor& attended) {
  const int64_t n = attended.rank() == 0 ? 1 : attended.shape().back();
  const std::vector<float> values = attended.to_vector<float>();
  int64_t last = 0;
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] != 0) last = std::max(last, static_cast<int64_t>(i) % n + 1);
  return last;
}

}  // namespace

Mask::Mask(Tensor attended, Axes axes, std::vector<int64_t> lengths) {
  auto facts = std::make_shared<Facts>();
  facts->attended = std::move(attended);
  facts->axes = axes;
  if (!lengths.empty()) facts->last = std::ranges::max(lengths);
  facts->lengths = std::move(lengths);
  facts_ = std::move(facts);
}

const Mask::Facts& Mask::facts() const {
  if (!facts_) throw Error("mask: expected a mask, got an undefined one");
  return *facts_;
}

Mask Mask::attend(const Tensor& ones, Axes axes) {
  if (axes != elements && ones.rank() != 2)
    throw Error(fmt::format("mask: expected two axes, {}, got {}",
                            axes == batch_time ? "(batch, time)" : "(queries, keys)",
                            ones.description()));
  const Tensor values = cast(ones.detach(), DType::float32);
  for (float value : values.to_vector<float>())
    if (value != 0 && value != 1)
      throw Error(
          fmt::format("mask: expected ones and zeros, got {} in {}", value, ones.description()));
  return Mask(values, axes);
}

Mask Mask::ignore(const Tensor& ones, Axes axes) {
  return Mask(1 - attend(ones, axes).attended(), axes);
}

Mask Mask::lengths(std::span<const int64_t> lengths, int64_t longest) {
  const int64_t batch = static_cast<int64_t>(lengths.size());
  Tensor values = zeros({batch, longest});
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t length = lengths[static_cast<size_t>(b)];
    if (length < 0 || length > longest)
      throw Error(
          fmt::format("mask: expected lengths in [0, {}], got {} of row {}", longest, length, b));
    std::fill_n(values.mutable_data<float>() + b * longest, length, 1.0f);
  }
  return Mask(values, batch_time, {lengths.begin(), lengths.end()});
}

Mask Mask::causal(int64_t queries, int64_t keys) {
  return window(queries, keys, std::max(queries, keys), 0);
}

Mask Mask::window(int64_t queries, int64_t keys, int64_t before, int64_t after) {
  if (before < 0 || after < 0)
    throw Error(
        fmt::format("mask: expected a window of at least 0 keys before and after, got {} and {}",
                    before, after));
  before = std::min(before, queries + keys), after = std::min(after, queries + keys);
  Tensor values = zeros({queries, keys});
  for (int64_t i = 0; i < queries; ++i) {
    const int64_t at = i + keys - queries;
    for (int64_t j = std::max<int64_t>(0, at - before); j <= at + after && j < keys; ++j)
      values.mutable_data<float>()[i * keys + j] = 1;
  }
  return Mask(values, queries_keys);
}

Mask Mask::operator&(const Mask& other) const {
  if (!defined()) return other;
  if (!other.defined()) return *this;
  int rank = std::max(shape().rank(), other.shape().rank());
  if (axes() != other.axes() && axes() != elements && other.axes() != elements) rank = 3;
  auto aligned = [&](const Mask& mask) {
    return (mask.axes() == batch_time ? before_scores(mask, rank) : mask).attended();
  };
  const Axes same = axes() == elements ? other.axes() : axes();
  return Mask(aligned(*this) * aligned(other), rank > 2 ? elements : same);
}

Mask Mask::unsqueeze(int axis) const {
  return defined() ? Mask(gradus::unsqueeze(attended(), axis), elements) : Mask();
}

Mask Mask::first(int64_t count) const {
  if (!defined()) return {};
  std::vector<int64_t> lengths(facts().lengths);
  for (int64_t& length : lengths) length = std::min(length, count);
  Mask result(slice(attended(), -1, 0, count), axes(), std::move(lengths));
  if (const int64_t known = facts().last; known >= 0 && known <= count) result.facts_->last = known;
  return result;
}

Mask Mask::rows(const Tensor& rows) const {
  if (!defined()) return {};
  Tensor attended = gather(facts().attended, rows);
  std::vector<int64_t> lengths;
  if (!facts().lengths.empty())
    for (const int64_t row : rows.to_vector<int64_t>())
      lengths.push_back(facts().lengths[static_cast<size_t>(row)]);
  return Mask(std::move(attended), axes(), std::move(lengths));
}

int64_t Mask::last() const {
  int64_t last = facts().last;
  if (last < 0) facts().last = last = last_attended(facts().attended);
  return last;
}

Tensor Mask::attended(DType dtype) const { return cast(facts().attended, dtype); }

void check_broadcast(const char* op, const Mask& mask, const Shape& to) {
  if (!mask.defined()) return;
  if (mask.axes() == Mask::batch_time && to.rank() > 2)
    throw Error(fmt::format(
        "{}: expected a mask that broadcasts to {}, got one of (batch, time) {}; say which axis is "
        "time: mask.unsqueeze(-1) for (batch, time, size), mask.unsqueeze(1) for (batch, queries, "
        "time)",
        op, to.text(), mask.shape().text()));
  if (mask.shape().rank() > to.rank() || broadcast(op, mask.shape(), to) != to)
    throw Error(fmt::format("{}: expected a mask that broadcasts to {}, got one of {}", op,
                            to.text(), mask.shape().text()));
}

Tensor masked_fill(const Tensor& x, const Mask& mask, double value) {
  if (!mask.defined()) return x;
  check_broadcast("masked_fill", mask, x.shape());
  return where(mask.attended(x.dtype()), x, value);
}

}  // namespace gradus
