#pragma once

#include <functional>
#include <string_view>
#include <tuple>

#include "core/functions/mask.h"
#include "core/tensor/random.h"
#include "layers/parameters.h"
#include "layers/parts.h"

namespace gradus {

/// What check_layer() found.
struct LayerReport {
  enum class Outcome { passed, failed, skipped };
  struct Finding {
    std::string check;  ///< "first derivatives", "batch", …
    Outcome outcome;
    std::string words;  ///< what was seen, and what to do about it
  };
  std::string layer;
  std::vector<Finding> findings;

  bool passed() const;
  /// All findings, a line each, below one line that sums them up.
  std::string text() const;
};

namespace detail::check {  // what check_layer() is made of

/// One call of a layer, without the layer's type: the tensors that parameters() names, and what
/// stands among the arguments.
struct Call {
  std::vector<Tensor> state, inputs;
  std::vector<Mask> masks;
  std::vector<std::vector<int64_t>> lengths;
};

struct Subject {
  std::string layer;
  std::vector<std::string> names;  // of call.state
  bool is_random = false;          // a Generator stands among the arguments
  Call call;
  /// Calls a copy of the layer so many times with the same arguments. Gives the last outputs, and
  /// leaves in the call what parameters() names afterwards.
  std::function<std::vector<Tensor>(Call&, int times)> run;
};

LayerReport report(const Subject& subject);

/// "Dense" of gradus::Dense, "Sequential" of gradus::Sequential<…>, "" of a function or a lambda.
template <class T>
std::string type_name() {
  if (!std::is_class_v<T>) return "";
  std::string_view text = __PRETTY_FUNCTION__;
  text = text.substr(text.find("T = ") + 4);
  text = text.substr(0, text.find_first_of("<;]"));
  return std::string(text.substr(text.rfind(':') + 1));
}

}  // namespace detail::check

/// Whether a layer keeps the promises that people rely on, tried with one set of inputs: the
/// arguments with which you would call it.
///
///     const LayerReport report = check_layer(Dense(3, 2, generator), random_normal({4, 3}, …));
///     fmt::print("{}", report.text());
///
/// It checks
///   - derivatives in inputs and parameters against finite differences, to first and second order;
///   - that a fused op gives what the composition gives that defines it;
///   - that every parameter gets a gradient, and that parameters() leaves none out;
///   - batch: a row gives alone what it gives in its batch;
///   - padding: what stands where a mask ignores, or beyond the lengths, changes nothing;
///   - save and load: another copy gives the same bits after loading;
///   - the same bits, gradients included, twice;
///   - that a wrong size is an Error that names the layer or one of its parameters.
///
/// Derivatives, batch and padding are compared in float64, for which copies of inputs and
/// parameters are cast; the layer itself stays as it is. Inputs come batch first; sizes that differ
/// from each other let it tell batch, time and features apart. A few numbers each are plenty: every
/// element is varied. Masks, lengths (vectors of int64_t) and a Generator* may stand among the
/// arguments, and tensors in structs such as LSTMState. Functions on tensors, fused ops for
/// instance, are checked in the same way. Nothing is thrown for what a layer does wrong.
template <class L, class... Inputs>
LayerReport check_layer(L layer, Inputs... inputs) {
  detail::check::Subject subject;
  subject.layer = detail::check::type_name<L>();
  if constexpr (requires { std::string(layer.name()); }) subject.layer = layer.name();
  auto for_each_tensor = [](L& owner, auto f) {
    if constexpr (Layer<L>) for_each_parameter(owner, f);
  };
  for_each_tensor(layer, [&](const std::string& name, Tensor& tensor) {
    subject.names.push_back(name);
    subject.call.state.push_back(tensor);
  });

  std::tuple<Inputs...> arguments(std::move(inputs)...);
  Cases note{[&](Tensor& x) {
               if (x.defined()) subject.call.inputs.push_back(x);
             },
             [&](Mask& x) { subject.call.masks.push_back(x); },
             [&](std::vector<int64_t>& x) { subject.call.lengths.push_back(x); },
             [&](Generator*& x) { subject.is_random = subject.is_random || x; }};
  for_each_part(arguments, note);

  subject.run = [=](detail::check::Call& call, int times) mutable {
    std::vector<Tensor> outputs;
    L copy = layer;
    size_t i = 0;
    for_each_tensor(copy, [&](const std::string&, Tensor& tensor) { tensor = call.state[i++]; });
    for (int time = 0; time < times; ++time) {
      std::tuple<Inputs...> given = arguments;
      size_t tensor = 0, mask = 0, length = 0;
      std::vector<Generator> generators;
      generators.reserve(sizeof...(Inputs));
      Cases put{[&](Tensor& x) {
                  if (x.defined()) x = call.inputs[tensor++];
                },
                [&](Mask& x) { x = call.masks[mask++]; },
                [&](std::vector<int64_t>& x) { x = call.lengths[length++]; },
                [&](Generator*& x) {  // each call draws the same numbers
                  if (x) x = &generators.emplace_back(*x);
                }};
      for_each_part(given, put);
      auto result = std::apply(copy, given);
      outputs.clear();
      Cases take{[&](Tensor& x) {
                   if (x.defined()) outputs.push_back(x);
                 },
                 [](Mask&) {}};
      for_each_part(result, take);
    }
    i = 0;
    for_each_tensor(copy, [&](const std::string&, Tensor& tensor) { call.state[i++] = tensor; });
    return outputs;
  };
  LayerReport report = detail::check::report(subject);
  size_t i = 0;  // what the layer only points to is not copied: it gets its own tensors back
  for_each_tensor(layer,
                  [&](const std::string&, Tensor& tensor) { tensor = subject.call.state[i++]; });
  return report;
}

}  // namespace gradus
