#include "examples/live/training.h"

#include <fmt/format.h>

#include <cmath>

#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/random.h"
#include "examples/terminal/language.h"
#include "optim/clip.h"

namespace gradus::live {

using terminal::said;

namespace {

constexpr int64_t most_kept = 16 << 20;  // numbers

Tensor copy_of(const Tensor& x) {
  Tensor result = Tensor::uninitialised(x.shape(), x.dtype());
  result.assign(x);
  return result;
}

double norm_of(const Tensor& x) { return summarise(x).all().norm; }

std::unique_ptr<Optimizer> optimizer_of(const TrainingOptions& options,
                                        const std::vector<Tensor>& parameters) {
  const double rate = options.rate;
  if (options.optimizer == "SGD")
    return std::make_unique<SGD>(parameters, SGDOptions{.learning_rate = rate});
  if (options.optimizer == "momentum")
    return std::make_unique<SGD>(parameters, SGDOptions{.learning_rate = rate, .momentum = 0.9});
  if (options.optimizer == "RMSprop")
    return std::make_unique<RMSprop>(parameters, RMSpropOptions{.learning_rate = rate});
  if (options.optimizer == "Adam")
    return std::make_unique<Adam>(parameters, AdamOptions{.learning_rate = rate});
  throw Error(
      said("optimizer: expected SGD, momentum, RMSprop or Adam, got '{}'", options.optimizer));
}

}  // namespace

Training::Training(std::shared_ptr<const Trace> start, const TrainingOptions& options)
    : start_(std::move(start)), current_(start_), options_(options) {
  if (!(options.clip >= 0)) throw Error(said("clip: expected at least 0, got {}", options.clip));
  for (int n = 0; n < start_->size(); ++n) {
    const TraceNode& node = start_->node(n);
    if (node.kind != TraceNode::Kind::parameter || !node.gradient.defined()) continue;
    nodes_.push_back(n);
    names_.push_back(node.name.empty() ? fmt::format("#{}", n) : node.name);
    parameters_.push_back(copy_of(node.value.values()).require_grad());
  }
  if (nodes_.empty())
    throw Error(said("there is no parameter that a gradient reaches: nothing to train"));
  if (start_->node(start_->size() - 1).value.shape().numel() != 1)
    throw Error(said("expected one number, the loss, as the last value of the computation"));
  optimizer_ = optimizer_of(options, parameters_);
  if (options.seed > 0) {
    Generator generator(options.seed);
    std::map<int, Tensor> values;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      Tensor& p = parameters_[i];
      const double size =
          norm_of(p) / std::sqrt(static_cast<double>(std::max<int64_t>(1, p.numel())));
      p.assign(random_normal(p.shape(), 0, size > 0 ? size : 0.1, generator, p.dtype()));
      values[nodes_[i]] = p;
    }
    current_ = std::make_shared<const Trace>(start_->replay(values));
  }
  note();
}

bool Training::step() {
  if (is_full()) return false;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Tensor& g = current_->node(nodes_[i]).gradient.values();
    if (!summarise(g).is_finite()) return false;
    parameters_[i].set_grad(copy_of(g));
  }
  if (options_.clip > 0) clip_gradients(parameters_, options_.clip);
  optimizer_->step();
  std::map<int, Tensor> values;
  for (size_t i = 0; i < nodes_.size(); ++i) values[nodes_[i]] = parameters_[i].detach();
  current_ = std::make_shared<const Trace>(current_->replay(values));
  note();
  return true;
}

void Training::note() {
  Step step{current_->node(current_->size() - 1).value.values().item(), 0, {}};
  std::vector<Tensor> values;
  int64_t numbers = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const double norm = norm_of(current_->node(nodes_[i]).gradient.values());
    step.gradient_norm += norm * norm;
    step.weight_norms.push_back(norm_of(parameters_[i]));
    values.push_back(copy_of(parameters_[i]));
    numbers += parameters_[i].numel();
  }
  step.gradient_norm = std::sqrt(step.gradient_norm);
  const auto number = static_cast<int64_t>(steps_.size());
  kept_.push_back(number % stride_ == 0 ? std::move(values) : std::vector<Tensor>());
  steps_.push_back(std::move(step));
  if ((number / stride_ + 1) * numbers <= most_kept && number / stride_ < 2000) return;
  stride_ *= 2;
  for (size_t i = 0; i < kept_.size(); ++i)
    if (static_cast<int64_t>(i) % stride_ != 0) kept_[i].clear();
}

Trace Training::at(int64_t step) const {
  if (step < 0 || step >= static_cast<int64_t>(kept_.size()) ||
      kept_[static_cast<size_t>(step)].empty())
    throw Error(said("step {} is not kept", step));
  std::map<int, Tensor> values;
  for (size_t i = 0; i < nodes_.size(); ++i)
    values[nodes_[i]] = kept_[static_cast<size_t>(step)][i];
  return start_->replay(values);
}

}  // namespace gradus::live
