#pragma once

#include <fmt/core.h>

#include <string>
#include <tuple>

#include "core/files/safetensors.h"
#include "layers/exchange/onnx.h"
#include "layers/parts.h"

/// Writes NAME.onnx, and three sets of inputs with our outputs to NAME.safetensors. The first set
/// is what the model is exported with, the others come from `draw`.
template <class L, class... Inputs>
void write_with(const gradus::OnnxOperators& operators, const std::string& name, L& model,
                auto draw, const Inputs&... inputs) {
  using namespace gradus;
  export_onnx(name + ".onnx", operators, model, inputs...);
  TensorFile file;
  for (int set = 0; set < 3; ++set) {
    auto given = set == 0 ? std::tuple<Inputs...>(inputs...) : draw();
    int input = 0, output = 0;
    Cases keep_input{
        [&](Tensor& x) { file.tensors[fmt::format("{}.input_{}", set, input++)] = x; }};
    for_each_part(given, keep_input);
    auto result = std::apply(model, given);
    Cases keep_output{
        [&](Tensor& x) { file.tensors[fmt::format("{}.output_{}", set, output++)] = x.detach(); }};
    for_each_part(result, keep_output);
  }
  save_tensors(name + ".safetensors", file);
  fmt::print("{}\n", name);
}

template <class L, class... Inputs>
void write(const std::string& name, L& model, auto draw, const Inputs&... inputs) {
  write_with({}, name, model, draw, inputs...);
}

/// Every op, with each axis in turn of size 1 and of size 0.
void write_ops();
