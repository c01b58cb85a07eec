#pragma once

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "optim/optimizer.h"

/// The optimiser of `description`, {"kind": …, "options": {…}}, for tensors or groups of them.
template <class Parameters>
gradus::Optimizer make(const nlohmann::json& description, const Parameters& parameters) {
  using namespace gradus;
  const std::string kind = description.at("kind");
  const nlohmann::json& options = description.at("options");
  auto set = [&](auto& o) {
    o.learning_rate = options.value("learning_rate", o.learning_rate);
    if constexpr (requires { o.weight_decay; })
      o.weight_decay = options.value("weight_decay", o.weight_decay);
    if constexpr (requires { o.epsilon; }) o.epsilon = options.value("epsilon", o.epsilon);
    if constexpr (requires { o.beta1; }) {
      o.beta1 = options.value("beta1", o.beta1);
      o.beta2 = options.value("beta2", o.beta2);
    }
    if constexpr (requires { o.alpha; }) o.alpha = options.value("alpha", o.alpha);
    if constexpr (requires { o.momentum; }) o.momentum = options.value("momentum", o.momentum);
    if constexpr (requires { o.nesterov; }) o.nesterov = options.value("nesterov", o.nesterov);
    if constexpr (requires { o.centred; }) o.centred = options.value("centred", o.centred);
    if constexpr (requires { o.amsgrad; }) o.amsgrad = options.value("amsgrad", o.amsgrad);
    return o;
  };
  if (SGDOptions o; kind == "SGD") return SGD(parameters, set(o));
  if (RMSpropOptions o; kind == "RMSprop") return RMSprop(parameters, set(o));
  if (AdamOptions o; kind == "Adam") return Adam(parameters, set(o));
  AdamWOptions o;
  REQUIRE(kind == "AdamW");
  return AdamW(parameters, set(o));
}
