#include "optim/moving_average.h"

#include <fmt/format.h>

#include <cmath>

#include "core/autograd/autograd.h"
#include "core/files/named_tensors.h"
#include "core/functions/index.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"
#include "optim/checked_names.h"

namespace gradus {

ExponentialMovingAverage::ExponentialMovingAverage(const std::vector<Tensor>& parameters,
                                                   const MovingAverageOptions& options)
    : options_(options),
      names_(checked_names("ExponentialMovingAverage", parameters)),
      parameters_(parameters),
      updates_(zeros({}, DType::int64)) {
  if (!(options.decay >= 0 && options.decay < 1))
    throw Error(
        fmt::format("ExponentialMovingAverage: expected decay in [0, 1), got {}", options.decay));
  for (const Tensor& parameter : parameters) averages_.push_back(clone(parameter.detach()));
}

void ExponentialMovingAverage::check_not_swapped(const char* what) const {
  if (swapped_)
    throw Error(fmt::format(
        "ExponentialMovingAverage: {}: the parameters hold their averages: swap() back first",
        what));
}

void ExponentialMovingAverage::update() {
  check_not_swapped("update");
  const NoGrad pause;
  const auto t = static_cast<double>(++*updates_.mutable_data<int64_t>());
  // Both rules are a ← a + weight · (p − a).
  double weight = t == 1 ? 1 : 1 - options_.decay;
  if (options_.bias_correction) weight = (1 - options_.decay) / (1 - std::pow(options_.decay, t));
  for (size_t i = 0; i < averages_.size(); ++i)
    averages_[i].assign(weight == 1 ? parameters_[i]
                                    : averages_[i] + weight * (parameters_[i] - averages_[i]));
}

void ExponentialMovingAverage::swap() {
  for (size_t i = 0; i < averages_.size(); ++i) {
    const Tensor values = clone(parameters_[i].detach());
    parameters_[i].assign(averages_[i]);
    averages_[i].assign(values);
  }
  swapped_ = !swapped_;
}

std::map<std::string, Tensor> ExponentialMovingAverage::averages() const {
  check_not_swapped("averages");
  std::map<std::string, Tensor> result;
  for (size_t i = 0; i < averages_.size(); ++i) result[names_[i]] = clone(averages_[i]);
  return result;
}

std::map<std::string, Tensor> ExponentialMovingAverage::named_state() const {
  std::map<std::string, Tensor> result{{"updates", updates_}};
  for (size_t i = 0; i < averages_.size(); ++i) result[names_[i] + ".average"] = averages_[i];
  return result;
}

std::map<std::string, Tensor> ExponentialMovingAverage::state() const {
  check_not_swapped("state");
  std::map<std::string, Tensor> result = named_state();
  for (auto& [name, tensor] : result) tensor = clone(tensor);
  return result;
}

void ExponentialMovingAverage::set_state(const std::map<std::string, Tensor>& state) {
  check_not_swapped("set_state");
  std::map<std::string, Tensor> mine = named_state();
  if (const std::string wrong = differences(mine, state); !wrong.empty())
    throw Error("ExponentialMovingAverage: the state does not fit the parameters:" + wrong);
  for (auto& [name, tensor] : mine) tensor.assign(state.at(name));
}

}  // namespace gradus
