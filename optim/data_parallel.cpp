#include "optim/data_parallel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/autograd/accumulate.h"
#include "core/kernels/simd.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"

namespace gradus {

namespace {

/// Along the same tree as the gradients.
double sum_along_tree(std::vector<double> values) {
  for (size_t width = 1; width < values.size(); width *= 2)
    for (size_t i = 0; i + width < values.size(); i += 2 * width) values[i] += values[i + width];
  return values[0];
}

Tensor own_copy(const Tensor& x) {
  Tensor copy = Tensor::uninitialised(x.shape(), x.dtype());
  copy.assign(x);
  return copy;
}

int64_t rows_of(const Tensor& x) { return x.rank() >= 2 ? x.size(0) : 1; }

/// What a bucket's message begins with: a bit for each row, whether it follows, and one for each
/// piece, whether its parameter has a gradient.
size_t header_bytes(int64_t rows, size_t pieces) {
  return (static_cast<size_t>(rows) + pieces + 63) / 64 * 8;
}

bool bit(std::span<const std::byte> bits, size_t at) {
  return (bits[at / 8] >> at % 8 & std::byte{1}) != std::byte{0};
}
void set_bit(std::span<std::byte> bits, size_t at) { bits[at / 8] |= std::byte{1} << at % 8; }

}  // namespace

DataParallel::DataParallel(std::vector<Tensor> parameters, Ranks& ranks,
                           const DataParallelOptions& options)
    : parameters_(std::move(parameters)),
      ranks_(ranks),
      options_(options),
      tree_(options.shards, ranks.size(), ranks.rank()),
      is_present_(parameters_.size()),
      is_complete_(parameters_.size()),
      alive_(std::make_shared<DataParallel*>(this)) {
  size_t depth = 0, most = 0;
  for (const int merges : tree_.merges) {
    most = std::max(most, ++depth);
    depth -= static_cast<size_t>(merges);
  }
  stack_.assign(most, std::vector<Tensor>(parameters_.size()));
  if (ranks_.size() == 1) return;
  broadcast(ranks_, parameters_);
  background_ = std::make_unique<Background>();
  for (size_t i = parameters_.size(); i-- > 0;) order_.push_back(static_cast<int64_t>(i));
  make_buckets();
  for (size_t i = 0; i < parameters_.size(); ++i)
    parameters_[i].on_gradient(
        [i, weak = std::weak_ptr<DataParallel*>(alive_)](const Tensor& gradient) {
          if (const auto self = weak.lock(); self && (*self)->is_sending_)
            (*self)->complete(i, gradient);
          return Tensor();
        });
}

DataParallel::~DataParallel() = default;

void DataParallel::make_buckets() {
  buckets_.clear();
  const int64_t most = std::max<int64_t>(1, options_.bucket_bytes / 2);
  DType dtype = DType::float32;
  for (const int64_t number : order_) {
    const auto parameter = static_cast<size_t>(number);
    const Tensor& x = parameters_[parameter];
    const int64_t rows = rows_of(x), length = rows == 0 ? 0 : x.numel() / rows;
    const int64_t row_bytes = length * static_cast<int64_t>(size_of(x.dtype()));
    const int64_t pieces = std::min(rows, rows * row_bytes / most + 1);
    for (int64_t piece = 0; piece < pieces; ++piece) {
      // A bucket that is half full does not wait for another parameter.
      const int64_t begin = rows * piece / pieces, end = rows * (piece + 1) / pieces;
      if (buckets_.empty() ||
          buckets_.back().bytes >= (begin == 0 ? most : options_.bucket_bytes) ||
          dtype != x.dtype())
        buckets_.emplace_back();
      dtype = x.dtype();
      buckets_.back().pieces.push_back({parameter, begin, end, length});
      buckets_.back().rows += end - begin;
      buckets_.back().bytes += (end - begin) * row_bytes;
    }
  }
  // A small one at the end goes with the one before it.
  if (const size_t n = buckets_.size();
      n > 1 && buckets_[n - 1].bytes < most &&
      parameters_[buckets_[n - 2].pieces[0].parameter].dtype() ==
          parameters_[buckets_[n - 1].pieces[0].parameter].dtype()) {
    Bucket& before = buckets_[n - 2];
    std::ranges::copy(buckets_[n - 1].pieces, std::back_inserter(before.pieces));
    before.rows += buckets_[n - 1].rows;
    before.bytes += buckets_[n - 1].bytes;
    buckets_.pop_back();
  }
  size_t largest = 0;
  for (const Bucket& bucket : buckets_)
    largest = std::max(largest, header_bytes(bucket.rows, bucket.pieces.size()) +
                                    static_cast<size_t>(bucket.bytes));
  outgoing_.resize(largest);
  incoming_.resize(largest);
}

DataParallel::Total DataParallel::step(const std::function<ShardLoss(int64_t)>& loss, bool stop) {
  if (options_.check_every > 0 && steps_ > 0 && steps_ % options_.check_every == 0)
    check(fmt::format("after step {}", steps_));
  try {
    const Total total = summed(loss, stop);
    ++steps_;
    return total;
  } catch (...) {
    is_sending_ = false;
    ranks_.cancel();
    try {
      if (background_) background_->wait();
    } catch (const std::exception&) {  // it was cancelled
    }
    throw;
  }
}

DataParallel::Total DataParallel::summed(const std::function<ShardLoss(int64_t)>& loss, bool stop) {
  const auto shards = static_cast<size_t>(options_.shards);
  std::vector<double> notes(2 * shards + 1);  // the losses, the items, whether to stop
  notes.back() = stop;
  depth_ = 0;
  sent_ = 0;
  std::ranges::fill(is_present_, 0);
  std::ranges::fill(is_complete_, 0);
  if (steps_ == 0) order_.clear();
  for (Bucket& bucket : buckets_) bucket.missing = std::ssize(bucket.pieces);
  for (const Tensor& parameter : parameters_) parameter.clear_grad();
  for (int64_t shard = tree_.begin; shard < tree_.end; ++shard) {
    const ShardLoss of_shard = loss(shard);
    if (of_shard.items > 0) {
      notes[static_cast<size_t>(shard)] = of_shard.sum.item();
      notes[shards + static_cast<size_t>(shard)] = static_cast<double>(of_shard.items);
    }
    merges_ = tree_.merges[static_cast<size_t>(shard - tree_.begin)];
    const bool is_last = shard + 1 == tree_.end;
    if (is_last && background_)
      background_->post([&] { sum_over_ranks(ranks_, std::span(notes)); });
    differentiate(of_shard.items > 0 ? of_shard.sum : Tensor(), is_last);
    depth_ += 1 - static_cast<size_t>(merges_);
  }
  if (background_) background_->wait();
  Total total{.loss = sum_along_tree({notes.begin(), notes.begin() + options_.shards}),
              .stop = notes.back() > 0};
  for (size_t i = shards; i < 2 * shards; ++i) total.items += static_cast<int64_t>(notes[i]);
  if (total.items == 0)
    throw Error(fmt::format("data parallel: all {} shards of the batch are empty", shards));
  set_gradients(total.items);
  if (steps_ == 0 && background_) {
    broadcast(ranks_, std::as_writable_bytes(std::span(order_)));
    make_buckets();
  }
  return total;
}

void DataParallel::differentiate(const Tensor& sum, bool is_last) {
  const bool is_sent = is_last && background_;
  is_sending_ = is_sent && options_.overlap;
  if (sum.defined()) sum.backward();
  is_sending_ = false;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Tensor gradient = parameters_[i].grad();
    parameters_[i].clear_grad();
    if (is_complete_[i]) continue;
    if (!is_sent)
      push(i, std::move(gradient), true);
    else
      complete(i, gradient);
  }
}

/// Puts a gradient, or none, on the stack and merges.
void DataParallel::push(size_t parameter, Tensor gradient, bool is_own) {
  is_present_[parameter] |= gradient.defined();
  size_t place = depth_;
  for (int merge = 0; merge < merges_; ++merge) {
    Tensor left = std::exchange(stack_[--place][parameter], {});
    if (!left.defined()) continue;
    if (gradient.defined()) add_into(left, gradient);
    gradient = std::move(left);
    is_own = true;
  }
  if (gradient.defined() && !(is_own && gradient.is_contiguous())) gradient = own_copy(gradient);
  stack_[place][parameter] = std::move(gradient);
}

/// The same of the last shard, whose sums are sent.
void DataParallel::complete(size_t parameter, const Tensor& gradient) {
  push(parameter, gradient, false);
  is_complete_[parameter] = 1;
  if (steps_ == 0) order_.push_back(static_cast<int64_t>(parameter));
  for (size_t place = 0; place <= depth_ - static_cast<size_t>(merges_); ++place)
    if (Tensor& sum = stack_[place][parameter]; !sum.defined())
      sum = zeros_like(parameters_[parameter]);
  for (Bucket& bucket : buckets_)
    for (const Piece& piece : bucket.pieces) bucket.missing -= piece.parameter == parameter;
  for (; sent_ < buckets_.size() && buckets_[sent_].missing == 0; ++sent_)
    background_->post([this, &bucket = buckets_[sent_]] { send(bucket); });
}

void DataParallel::send(const Bucket& bucket) {
  for (const ShardTree::Step& step : tree_.steps) switch (step.kind) {
      case ShardTree::Step::exchange:
        ranks_.exchange(step.with,
                        step.send >= 0 ? pack(bucket, step.send) : std::span<const std::byte>(),
                        step.receives ? std::span(incoming_) : std::span<std::byte>());
        break;
      case ShardTree::Step::add_received:
        add_received(bucket, step.to);
        break;
      case ShardTree::Step::add:
        add(bucket, step.from, step.to);
    }
}

std::span<const std::byte> DataParallel::pack(const Bucket& bucket, int place) {
  size_t end = header_bytes(bucket.rows, bucket.pieces.size()), row = 0;
  std::fill_n(outgoing_.begin(), end, std::byte{0});
  for (const Piece& piece : bucket.pieces) {
    if (is_present_[piece.parameter]) set_bit(outgoing_, row);
    ++row;
    const Tensor& sum = stack_[static_cast<size_t>(place)][piece.parameter];
    dispatch_float("data parallel", sum.dtype(), [&](auto element) {
      using T = decltype(element);
      const size_t bytes = static_cast<size_t>(piece.length) * sizeof(T);
      const T* from = sum.data<T>() + piece.begin * piece.length;
      for (int64_t i = piece.begin; i < piece.end; ++i, ++row, from += piece.length) {
        if (std::all_of(from, from + piece.length, [](T x) { return x == 0; })) continue;
        set_bit(outgoing_, row);
        std::memcpy(outgoing_.data() + end, from, bytes);
        end += bytes;
      }
    });
  }
  return {outgoing_.data(), end};
}

void DataParallel::add_received(const Bucket& bucket, int place) {
  size_t at = header_bytes(bucket.rows, bucket.pieces.size()), row = 0;
  for (const Piece& piece : bucket.pieces) {
    is_present_[piece.parameter] |= bit(incoming_, row++);
    Tensor& sum = stack_[static_cast<size_t>(place)][piece.parameter];
    dispatch_float("data parallel", sum.dtype(), [&](auto element) {
      using T = decltype(element);
      T* to = sum.mutable_data<T>() + piece.begin * piece.length;
      for (int64_t i = piece.begin; i < piece.end; ++i, ++row, to += piece.length) {
        if (!bit(incoming_, row)) continue;
        simd::kernels<T>().add_into(reinterpret_cast<const T*>(incoming_.data() + at), to,
                                    piece.length);
        at += static_cast<size_t>(piece.length) * sizeof(T);
      }
    });
  }
}

void DataParallel::add(const Bucket& bucket, int from, int to) {
  for (const Piece& piece : bucket.pieces) {
    const Tensor& right = stack_[static_cast<size_t>(from)][piece.parameter];
    Tensor& left = stack_[static_cast<size_t>(to)][piece.parameter];
    dispatch_float("data parallel", left.dtype(), [&](auto element) {
      using T = decltype(element);
      const int64_t begin = piece.begin * piece.length;
      simd::kernels<T>().add_into(right.data<T>() + begin, left.mutable_data<T>() + begin,
                                  (piece.end - piece.begin) * piece.length);
    });
  }
}

/// Divides the sums. + 0 makes +0 of −0: a sum without a gradient, or without rows of zeros, may
/// differ in this from one with zeros.
void DataParallel::set_gradients(int64_t items) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Tensor sum = std::move(stack_[0][i]);
    for (auto& place : stack_) place[i] = {};
    if (!is_present_[i]) continue;
    dispatch_float("data parallel", sum.dtype(), [&](auto element) {
      using T = decltype(element);
      T* values = sum.mutable_data<T>();
      const auto count = static_cast<T>(items);
      parallel_for(sum.numel(), 1 << 15, [=](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; ++k) values[k] = values[k] / count + T(0);
      });
    });
    parameters_[i].set_grad(std::move(sum));
  }
}

void DataParallel::check(const std::string& when) const { check_same(ranks_, parameters_, when); }

}  // namespace gradus
