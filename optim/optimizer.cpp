#include "optim/optimizer.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

#include "core/kernels/simd.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

void check(bool holds, const std::string& kind, const char* option, const char* wanted,
           double given) {
  if (!holds)
    throw Error(fmt::format("{}: {} wants {}, was given {}", kind, option, wanted, given));
}

void check_not_negative(const std::string& kind, const char* option, double given) {
  check(given >= 0 && std::isfinite(given), kind, option, "a finite number of at least 0", given);
}

void check_decay_rate(const std::string& kind, const char* option, double given) {
  check(given >= 0 && given < 1, kind, option, "a number in [0, 1)", given);
}

Tensor copy(const Tensor& x) {
  Tensor result = Tensor::uninitialised(x.shape(), x.dtype());
  result.assign(x);
  return result;
}

}  // namespace

Optimizer::Optimizer(std::string kind, const std::vector<Tensor>& parameters, double learning_rate,
                     std::vector<std::string> moment_names, Update update)
    : learning_rate(learning_rate),
      kind_(std::move(kind)),
      moment_names_(std::move(moment_names)),
      update_(std::move(update)) {
  check_not_negative(kind_, "learning_rate", learning_rate);
  if (parameters.empty()) throw Error(fmt::format("{}: there are no parameters", kind_));
  std::map<const Node*, size_t> seen;
  std::set<std::string> names;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& value = parameters[i];
    auto fail = [&](const std::string& why) {
      throw Error(fmt::format("{}: parameter {}, {}, {}", kind_, i, value.description(), why));
    };
    if (!value.defined()) throw Error(fmt::format("{}: parameter {} is undefined", kind_, i));
    if (!value.requires_grad()) fail("requires no gradient: call require_grad(), or leave it out");
    if (value.node()->order != 0)
      fail(fmt::format("is the result of '{}', not a leaf", value.node()->op));
    if (!value.is_contiguous()) fail("is a strided view: make a leaf of contiguous() instead");
    if (const auto [other, fresh] = seen.emplace(value.node().get(), i); !fresh)
      fail(fmt::format("is the same tensor as parameter {}: list it once", other->second));
    const std::string name = value.name().empty() ? std::to_string(i) : value.name();
    if (!names.insert(name).second) fail("has the name of another parameter: set_name() one");
    Parameter parameter{name, value, zeros({}, DType::int64), {}};
    for (size_t k = 0; k < moment_names_.size(); ++k)
      parameter.moments.push_back(zeros(value.shape(), value.dtype()));
    parameters_.push_back(std::move(parameter));
  }
}

void Optimizer::step() {
  check_not_negative(kind_, "learning_rate", learning_rate);
  const NoGrad pause;
  bool any = false;
  for (const Parameter& parameter : parameters_) {
    if (!parameter.value.grad().defined()) continue;
    any = true;
    ++*parameter.step.data<int64_t>();
    update_(parameter, learning_rate);
  }
  if (!any)
    throw Error(
        fmt::format("{}: none of the {} parameters has a gradient: call backward() before "
                    "step(), on a loss that depends on them",
                    kind_, parameters_.size()));
}

void Optimizer::zero_grad() const {
  for (const Parameter& parameter : parameters_) parameter.value.clear_grad();
}

// --- the state ----------------------------------------------------------------------------------

std::map<std::string, Tensor> Optimizer::remembered() const {
  std::map<std::string, Tensor> result;
  for (const Parameter& parameter : parameters_) {
    result[parameter.name + ".step"] = parameter.step;
    for (size_t k = 0; k < moment_names_.size(); ++k)
      result[parameter.name + "." + moment_names_[k]] = parameter.moments[k];
  }
  return result;
}

std::map<std::string, Tensor> Optimizer::state() const {
  std::map<std::string, Tensor> result = remembered();
  for (auto& [name, tensor] : result) tensor = copy(tensor);
  return result;
}

void Optimizer::set_state(const std::map<std::string, Tensor>& state) {
  const std::map<std::string, Tensor> mine = remembered();
  auto text = [](const Tensor& x) {
    return x.defined() ? fmt::format("{} {}", name_of(x.dtype()), x.shape().text()) : "undefined";
  };
  std::string wrong;
  for (const auto& [name, tensor] : mine) {
    const auto given = state.find(name);
    if (given == state.end())
      wrong += fmt::format("; {} is missing", name);
    else if (text(given->second) != text(tensor))
      wrong +=
          fmt::format("; {} should be {}, was given {}", name, text(tensor), text(given->second));
  }
  for (const auto& [name, tensor] : state)
    if (!mine.contains(name)) wrong += fmt::format("; {} belongs to no parameter", name);
  if (!wrong.empty())
    throw Error(fmt::format("{}: the state is not of these parameters{}", kind_, wrong));
  for (const auto& [name, tensor] : mine) tensor.assign(state.at(name));
}

// --- the update rules ---------------------------------------------------------------------------

namespace {

Optimizer::Update sgd_update(const SGDOptions& options) {
  check_decay_rate("SGD", "momentum", options.momentum);
  check_not_negative("SGD", "weight_decay", options.weight_decay);
  if (options.nesterov && options.momentum == 0)
    throw Error("SGD: nesterov wants a momentum above 0");
  if (options.momentum == 0)
    return [options](const Parameter& parameter, double rate) {
      parameter.update<0>(
          [=]<class T>(T g, T& p) { p -= T(rate) * (g + T(options.weight_decay) * p); });
    };
  return [options](const Parameter& parameter, double rate) {
    const double fresh = options.nesterov ? 1 : 0, kept = options.nesterov ? options.momentum : 1;
    parameter.update<1>([=]<class T>(T g, T& p, T& v) {
      g += T(options.weight_decay) * p;
      v = T(options.momentum) * v + g;
      p -= T(rate) * (T(fresh) * g + T(kept) * v);
    });
  };
}

Optimizer::Update rmsprop_update(const RMSpropOptions& options) {
  check_decay_rate("RMSprop", "alpha", options.alpha);
  check_not_negative("RMSprop", "epsilon", options.epsilon);
  return [options](const Parameter& parameter, double rate) {
    parameter.update<1>([=]<class T>(T g, T& p, T& v) {
      v = T(options.alpha) * v + T(1 - options.alpha) * g * g;
      p -= T(rate) * g / (std::sqrt(v) + T(options.epsilon));
    });
  };
}

/// Adam's own weight decay is part of the gradient, AdamW's is not.
Optimizer::Update adam_update(const char* kind, const AdamWOptions& options, bool decoupled) {
  check_decay_rate(kind, "beta1", options.beta1);
  check_decay_rate(kind, "beta2", options.beta2);
  check_not_negative(kind, "epsilon", options.epsilon);
  check_not_negative(kind, "weight_decay", options.weight_decay);
  return [options, decoupled](const Parameter& parameter, double rate) {
    const auto t = static_cast<double>(*parameter.step.data<int64_t>());
    dispatch_float("Adam", parameter.value.dtype(), [&](auto element) {
      using T = decltype(element);
      const double stride = rate / (1 - std::pow(options.beta1, t));
      const simd::AdamStep<T> step{
          .pull = static_cast<T>(decoupled ? 0 : options.weight_decay),
          .beta1 = static_cast<T>(options.beta1),
          .beta2 = static_cast<T>(options.beta2),
          .shrink = static_cast<T>(decoupled ? 1 - rate * options.weight_decay : 1),
          .stride = static_cast<T>(stride),
          .inverse_root = static_cast<T>(1 / std::sqrt(1 - std::pow(options.beta2, t))),
          .epsilon = static_cast<T>(options.epsilon)};
      const Tensor gradient = contiguous(parameter.value.grad());
      const T* g = gradient.data<T>();
      T *p = parameter.value.data<T>(), *m = parameter.moments[0].data<T>(),
        *v = parameter.moments[1].data<T>();
      parallel_for(parameter.value.numel(), 1 << 15, [&](int64_t begin, int64_t end) {
        simd::kernels<T>().adam(step, g + begin, p + begin, m + begin, v + begin, end - begin);
      });
    });
  };
}

}  // namespace

SGD::SGD(const std::vector<Tensor>& parameters, const SGDOptions& options)
    : Optimizer(
          "SGD", parameters, options.learning_rate,
          options.momentum == 0 ? std::vector<std::string>{} : std::vector<std::string>{"velocity"},
          sgd_update(options)) {}

RMSprop::RMSprop(const std::vector<Tensor>& parameters, const RMSpropOptions& options)
    : Optimizer("RMSprop", parameters, options.learning_rate, {"mean_square"},
                rmsprop_update(options)) {}

Adam::Adam(const std::vector<Tensor>& parameters, const AdamOptions& options)
    : Optimizer("Adam", parameters, options.learning_rate, {"first_moment", "second_moment"},
                adam_update("Adam",
                            {options.learning_rate, options.beta1, options.beta2, options.epsilon,
                             options.weight_decay},
                            false)) {}

AdamW::AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options)
    : Optimizer("AdamW", parameters, options.learning_rate, {"first_moment", "second_moment"},
                adam_update("AdamW", options, true)) {}

}  // namespace gradus
