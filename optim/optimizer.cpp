#include "optim/optimizer.h"

#include <fmt/format.h>

#include <cmath>

#include "core/autograd/node.h"
#include "core/files/named_tensors.h"
#include "core/functions/index.h"
#include "core/kernels/flush_subnormals.h"
#include "core/tensor/error.h"
#include "optim/adam.simd.h"
#include "optim/checked_names.h"

namespace gradus {

namespace {

void check_not_negative(const std::string& kind, const std::string& option, double given) {
  if (!(given >= 0 && std::isfinite(given)))
    throw Error(
        fmt::format("{}: expected {} to be finite and at least 0, got {}", kind, option, given));
}

void check_decay_rate(const std::string& kind, const char* option, double given) {
  if (!(given >= 0 && given < 1))
    throw Error(fmt::format("{}: expected {} in [0, 1), got {}", kind, option, given));
}

std::vector<ParameterGroup> one_group(const std::vector<Tensor>& parameters) {
  return {ParameterGroup{.parameters = parameters}};
}

}  // namespace

std::vector<ParameterGroup> decay_matrices_only(const std::vector<Tensor>& parameters) {
  std::vector<ParameterGroup> groups(2);
  groups[1].weight_decay = 0;
  for (const Tensor& parameter : parameters)
    groups[parameter.rank() < 2 ? 1 : 0].parameters.push_back(parameter);
  return groups;
}

Optimizer::Optimizer(std::string kind, const std::vector<Tensor>& parameters, double learning_rate,
                     std::vector<std::string> moment_names, Update update, double weight_decay)
    : Optimizer(std::move(kind), one_group(parameters), learning_rate, std::move(moment_names),
                std::move(update), weight_decay) {}

Optimizer::Optimizer(std::string kind, const std::vector<ParameterGroup>& groups,
                     double learning_rate, std::vector<std::string> moment_names, Update update,
                     double weight_decay)
    : learning_rate(learning_rate),
      kind_(std::move(kind)),
      moment_names_(std::move(moment_names)),
      update_(std::move(update)) {
  if (!update_) throw Error(kind_ + ": expected an update, got none");
  check_not_negative(kind_, "learning_rate", learning_rate);
  check_not_negative(kind_, "weight_decay", weight_decay);
  if (!update_) throw Error(fmt::format("{}: expected an update rule, got none", kind_));
  std::vector<Tensor> all;
  for (size_t i = 0; i < groups.size(); ++i) {
    const double scale = groups[i].learning_rate_scale;
    const double decay = groups[i].weight_decay.value_or(weight_decay);
    check_not_negative(kind_, fmt::format("learning_rate_scale of group {}", i), scale);
    check_not_negative(kind_, fmt::format("weight_decay of group {}", i), decay);
    for (const Tensor& value : groups[i].parameters) {
      all.push_back(value);
      parameters_.push_back({"", value, {}, {}, scale, decay});
    }
  }
  const std::vector<std::string> names = checked_names(kind_, all);
  for (size_t i = 0; i < all.size(); ++i) {
    Parameter& parameter = parameters_[i];
    parameter.name = names[i];
    parameter.step = zeros({}, DType::int64);
    for (size_t k = 0; k < moment_names_.size(); ++k)
      parameter.moments.push_back(zeros(all[i].shape(), all[i].dtype()));
  }
}

void Optimizer::step() {
  check_not_negative(kind_, "learning_rate", learning_rate);
  const NoGrad pause;
  bool any = false;
  for (Parameter& parameter : parameters_) {
    if (!parameter.value.grad().defined()) continue;
    any = true;
    ++*parameter.step.mutable_data<int64_t>();
    update_(parameter, learning_rate * parameter.learning_rate_scale);
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

// --- the state ------------------------------------------------------------------------------

std::map<std::string, Tensor> Optimizer::named_state() const {
  std::map<std::string, Tensor> result;
  for (const Parameter& parameter : parameters_) {
    result[parameter.name + ".step"] = parameter.step;
    for (size_t k = 0; k < moment_names_.size(); ++k)
      result[parameter.name + "." + moment_names_[k]] = parameter.moments[k];
  }
  return result;
}

std::map<std::string, Tensor> Optimizer::state() const {
  std::map<std::string, Tensor> result = named_state();
  for (auto& [name, tensor] : result) tensor = clone(tensor);
  return result;
}

void Optimizer::set_state(const std::map<std::string, Tensor>& state) {
  std::map<std::string, Tensor> mine = named_state();
  if (const std::string wrong = differences(mine, state); !wrong.empty())
    throw Error(fmt::format("{}: the state does not fit the parameters:{}", kind_, wrong));
  for (auto& [name, tensor] : mine) tensor.assign(state.at(name));
}

// --- the update rules -----------------------------------------------------------------------

namespace {

Optimizer::Update sgd_update(const SGDOptions& options) {
  check_decay_rate("SGD", "momentum", options.momentum);
  if (options.nesterov && options.momentum == 0)
    throw Error("SGD: expected a momentum above 0 for nesterov, got 0");
  if (options.momentum == 0)
    return [](Parameter& parameter, double rate) {
      parameter.update<0>([rate, decay = parameter.weight_decay]<class T>(T g, T& p) {
        p -= T(rate) * (g + T(decay) * p);
      });
    };
  return [options](Parameter& parameter, double rate) {
    const double fresh = options.nesterov ? 1 : 0, kept = options.nesterov ? options.momentum : 1;
    parameter.update<1>([=, decay = parameter.weight_decay]<class T>(T g, T& p, T& v) {
      g += T(decay) * p;
      v = T(options.momentum) * v + g;
      p -= T(rate) * (T(fresh) * g + T(kept) * v);
    });
  };
}

Optimizer::Update rmsprop_update(const RMSpropOptions& options) {
  check_decay_rate("RMSprop", "alpha", options.alpha);
  check_decay_rate("RMSprop", "momentum", options.momentum);
  check_not_negative("RMSprop", "epsilon", options.epsilon);
  return [options](Parameter& parameter, double rate) {
    const auto step = [=, decay = parameter.weight_decay]<class T>(T g, T& p, T& v, T* m, T* w) {
      g += T(decay) * p;
      v = T(options.alpha) * v + T(1 - options.alpha) * g * g;
      if (m) *m = T(options.alpha) * *m + T(1 - options.alpha) * g;
      // Rounding may take the variance below zero.
      const T root = std::sqrt(m ? std::max(v - *m * *m, T(0)) : v) + T(options.epsilon);
      if (!w) {
        p -= T(rate) * g / root;
        return;
      }
      *w = T(options.momentum) * *w + g / root;
      p -= T(rate) * *w;
    };
    constexpr auto none = nullptr;
    if (options.centred && options.momentum > 0)
      parameter.update<3>([=]<class T>(T g, T& p, T& v, T& m, T& w) {
        step.template operator()<T>(g, p, v, &m, &w);
      });
    else if (options.centred)
      parameter.update<2>(
          [=]<class T>(T g, T& p, T& v, T& m) { step.template operator()<T>(g, p, v, &m, none); });
    else if (options.momentum > 0)
      parameter.update<2>(
          [=]<class T>(T g, T& p, T& v, T& w) { step.template operator()<T>(g, p, v, none, &w); });
    else
      parameter.update<1>(
          [=]<class T>(T g, T& p, T& v) { step.template operator()<T>(g, p, v, none, none); });
  };
}

std::vector<std::string> rmsprop_moments(const RMSpropOptions& options) {
  std::vector<std::string> names{"mean_square"};
  if (options.centred) names.push_back("mean");
  if (options.momentum > 0) names.push_back("velocity");
  return names;
}

std::vector<std::string> adam_moments(bool amsgrad) {
  std::vector<std::string> names{"first_moment", "second_moment"};
  if (amsgrad) names.push_back("largest_second_moment");
  return names;
}

/// Adam's own weight decay is part of the gradient, AdamW's is not.
Optimizer::Update adam_update(const char* kind, double beta1, double beta2, double epsilon,
                              bool decoupled, bool amsgrad) {
  check_decay_rate(kind, "beta1", beta1);
  check_decay_rate(kind, "beta2", beta2);
  check_not_negative(kind, "epsilon", epsilon);
  return [=](Parameter& parameter, double rate) {
    const auto t = static_cast<double>(*parameter.step.mutable_data<int64_t>());
    if (amsgrad) {
      const double pull = decoupled ? 0 : parameter.weight_decay,
                   stride = rate / (1 - std::pow(beta1, t)),
                   shrink = decoupled ? 1 - rate * parameter.weight_decay : 1,
                   inverse_root = 1 / std::sqrt(1 - std::pow(beta2, t));
      parameter.update<3>([=]<class T>(T g, T& p, T& m, T& v, T& largest) {
        g += T(pull) * p;
        m = T(beta1) * m + T(1 - beta1) * g;
        v = T(beta2) * v + T(1 - beta2) * g * g;
        largest = std::max(largest, v);
        p = T(shrink) * p - T(stride) * m / (std::sqrt(largest) * T(inverse_root) + T(epsilon));
      });
      return;
    }
    dispatch_float("Adam", parameter.value.dtype(), [&](auto element) {
      using T = decltype(element);
      const double stride = rate / (1 - std::pow(beta1, t));
      const simd::AdamStep<T> step{
          .pull = static_cast<T>(decoupled ? 0 : parameter.weight_decay),
          .beta1 = static_cast<T>(beta1),
          .beta2 = static_cast<T>(beta2),
          .rest1 = static_cast<T>(1 - beta1),
          .rest2 = static_cast<T>(1 - beta2),
          .shrink = static_cast<T>(decoupled ? 1 - rate * parameter.weight_decay : 1),
          .stride = static_cast<T>(stride),
          .inverse_root = static_cast<T>(1 / std::sqrt(1 - std::pow(beta2, t))),
          .epsilon = static_cast<T>(epsilon)};
      const Tensor gradient = contiguous(parameter.value.grad());
      const T* g = gradient.data<T>();
      T *p = parameter.value.mutable_data<T>(), *m = parameter.moments[0].mutable_data<T>(),
        *v = parameter.moments[1].mutable_data<T>();
      parallel_for(parameter.value.numel(), 1 << 15, [&](int64_t begin, int64_t end) {
        const FlushSubnormals flush;
        simd::best<simd::AdamKernel<T>>().update(step, g + begin, p + begin, m + begin, v + begin,
                                                 end - begin);
      });
    });
  };
}

}  // namespace

SGD::SGD(const std::vector<Tensor>& parameters, const SGDOptions& options)
    : SGD(one_group(parameters), options) {}

SGD::SGD(const std::vector<ParameterGroup>& groups, const SGDOptions& options)
    : Optimizer(
          "SGD", groups, options.learning_rate,
          options.momentum == 0 ? std::vector<std::string>{} : std::vector<std::string>{"velocity"},
          sgd_update(options), options.weight_decay) {}

RMSprop::RMSprop(const std::vector<Tensor>& parameters, const RMSpropOptions& options)
    : RMSprop(one_group(parameters), options) {}

RMSprop::RMSprop(const std::vector<ParameterGroup>& groups, const RMSpropOptions& options)
    : Optimizer("RMSprop", groups, options.learning_rate, rmsprop_moments(options),
                rmsprop_update(options), options.weight_decay) {}

Adam::Adam(const std::vector<Tensor>& parameters, const AdamOptions& options)
    : Adam(one_group(parameters), options) {}

Adam::Adam(const std::vector<ParameterGroup>& groups, const AdamOptions& options)
    : Optimizer("Adam", groups, options.learning_rate, adam_moments(options.amsgrad),
                adam_update("Adam", options.beta1, options.beta2, options.epsilon, false,
                            options.amsgrad),
                options.weight_decay) {}

AdamW::AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options)
    : AdamW(one_group(parameters), options) {}

AdamW::AdamW(const std::vector<ParameterGroup>& groups, const AdamWOptions& options)
    : Optimizer("AdamW", groups, options.learning_rate, adam_moments(options.amsgrad),
                adam_update("AdamW", options.beta1, options.beta2, options.epsilon, true,
                            options.amsgrad),
                options.weight_decay) {}

}  // namespace gradus
