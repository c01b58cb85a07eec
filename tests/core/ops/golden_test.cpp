#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/core.h"

using namespace gradus;

namespace {

using Tensors = const std::vector<Tensor>&;
using Function = std::function<Tensor(Tensors)>;

/// Sums round in another order than PyTorch's, so that their error is relative to the largest
/// element; a pointwise result has only itself to be measured by.
enum class Scale { element, largest };

struct Row {
  Function function;
  Scale scale = Scale::largest;
  double tolerance = 1e-6;
};

Tensor indices(std::vector<int64_t> ids, const Shape& shape) { return tensor(ids, shape); }
const Mask ends = Mask::ignore(tensor({1, 0, 0, 1}));
const Tensor classes = indices({1, 4, 0, 2, 4, -100}, {6});

Row pointwise(Function function, double tolerance = 1e-6) {
  return {std::move(function), Scale::element, tolerance};
}

Row cross_entropy_row(Reduction reduction, double smoothing) {
  return {[=](Tensors x) {
    return cross_entropy(x[0], classes, {.label_smoothing = smoothing, .reduction = reduction});
  }};
}

std::map<std::string, Row> make_rows() {
  std::map<std::string, Row> rows{
      {"pow to 2", pointwise([](Tensors x) { return pow(x[0], 2); })},
      {"pow to 0.5", pointwise([](Tensors x) { return pow(x[0], 0.5); })},
      {"pow to -3", pointwise([](Tensors x) { return pow(x[0], -3); })},
      {"where", pointwise([](Tensors x) {
         return where(tensor({{1}, {0}, {1}}), x[0], x[1]);
       })},

      {"reshape", {[](Tensors x) {
         return reshape(x[0], {4, 6});
       }}},
      {"permute", {[](Tensors x) {
         return permute(x[0], {2, 0, 1});
       }}},
      {"slice", {[](Tensors x) { return slice(x[0], 2, 1, 4, 2); }}},
      {"pad", {[](Tensors x) { return pad(x[0], 1, 1, 2, 0.5); }}},
      {"expand", {[](Tensors x) {
         return expand(x[0], {2, 3, 4});
       }}},
      {"concat", {[](Tensors x) {
         return concat({x[0], x[1]}, 1);
       }}},
      {"stack", {[](Tensors x) {
         return stack({x[0], x[1]}, 1);
       }}},

      {"sum", {[](Tensors x) { return sum(x[0]); }}},
      {"sum over 0, 2", {[](Tensors x) {
         return sum(x[0], {0, 2});
       }}},
      {"mean over 1, kept", {[](Tensors x) { return mean(x[0], {1}, keepdims); }}},
      {"max over 1, with ties", {[](Tensors x) { return max(x[0], {1}); }}},
      {"min over 0, with ties", {[](Tensors x) { return min(x[0], {0}); }}},
      {"max with NaN", {[](Tensors x) { return max(x[0], {0}, keepdims); }}},
      {"var", {[](Tensors x) { return var(x[0]); }}},
      {"var over one element", {[](Tensors x) { return var(x[0], {1}, false, 0); }}},
      {"var over one element, unbiased", {[](Tensors x) { return var(x[0], {1}); }}},
      {"stddev over 1", {[](Tensors x) { return stddev(x[0], {1}); }}},
      {"stddev of equal numbers", {[](Tensors x) { return stddev(x[0], {1}); }}},
      {"norm of order 1, with zeros", pointwise([](Tensors x) { return norm(x[0], 1, {1}); })},
      {"norm of order 2, with zeros", pointwise([](Tensors x) { return norm(x[0], 2, {1}); })},
      {"norm of order inf, with zeros",
       pointwise([](Tensors x) { return norm(x[0], INFINITY, {1}); })},
      {"prod over 1", {[](Tensors x) { return prod(x[0], {1}); }}},
      {"prod with zeros", {[](Tensors x) { return prod(x[0], {1}); }}},
      {"cumsum over 1", {[](Tensors x) { return cumsum(x[0], 1); }}},
      {"cumprod over 2", {[](Tensors x) { return cumprod(x[0], 2); }}},
      {"cumprod with zeros", {[](Tensors x) { return cumprod(x[0], 1); }}},
      {"sort", pointwise([](Tensors x) { return sort(x[0]).values; })},
      {"sort, descending", pointwise([](Tensors x) { return sort(x[0], 1, true).values; })},
      {"topk", pointwise([](Tensors x) { return topk(x[0], 2, 1).values; })},
      {"topk of the smallest", pointwise([](Tensors x) { return topk(x[0], 2, 0, false).values; })},
      {"logsumexp over 1", {[](Tensors x) { return logsumexp(x[0], {1}); }}},
      {"logsumexp of all", {[](Tensors x) { return logsumexp(x[0]); }}},
      {"logsumexp of large numbers", pointwise([](Tensors x) { return logsumexp(x[0], {-1}); })},

      {"matmul", {[](Tensors x) { return matmul(x[0], x[1]); }}},
      {"matmul of transposed views",
       {[](Tensors x) { return matmul(transpose(x[0]), transpose(x[1])); }}},
      {"matmul of broadcast batches", {[](Tensors x) { return matmul(x[0], x[1]); }}},
      {"matmul of batches and a matrix", {[](Tensors x) { return matmul(x[0], x[1]); }}},

      {"linear", {[](Tensors x) { return linear(x[0], x[1], x[2]); }}},
      {"gather with repeated rows", {[](Tensors x) {
         return gather(x[0], indices({2, 0, 2, 2, 1, 0}, {2, 3}));
       }}},
      {"scatter_add with repeated rows", {[](Tensors x) {
         return scatter_add(4, indices({3, 0, 3, 3, 1}, {5}), x[0]);
       }}},
      {"take_along_axis", {[](Tensors x) {
         return take_along_axis(x[0], indices({0, 3, 1, 1, 2, 0}, {2, 3, 1}), 2);
       }}},
      {"take_along_axis, broadcast", {[](Tensors x) {
         return take_along_axis(x[0], indices({0, 2, 1, 1, 2, 0, 0, 1}, {2, 1, 4}), 1);
       }}},
      {"index_select", {[](Tensors x) {
         return index_select(x[0], 1, indices({2, 0, 2}, {3}));
       }}},
      {"masked_select", pointwise([](Tensors x) {
         return masked_select(x[0], tensor({{1}, {0}, {1}}));
       })},
      {"index", {[](Tensors x) {
         return x[0][{1, new_axis, ellipsis, range(1, -1)}];
       }}},
      {"index by a list", {[](Tensors x) {
         return x[0][{all, indices({2, 0, 1, 2}, {2, 2}), 1}];
       }}},
      {"einsum", {[](Tensors x) {
         return einsum("bij,ji,bk->kb", {x[0], x[1], x[2]});
       }}},
      {"einsum of a diagonal and further axes", {[](Tensors x) {
         return einsum("i...i,...j", {x[0], x[1]});
       }}},
      {"huber_loss, delta 1", {[](Tensors x) { return huber_loss(x[0], x[1]); }}},
      {"binary_cross_entropy_with_logits, weighted", {[](Tensors x) {
         return binary_cross_entropy_with_logits(
             x[0], x[1], {.pos_weight = tensor({0.5, 1, 2, 3}), .reduction = Reduction::none});
       }}},
      {"clamp", pointwise([](Tensors x) { return clamp(x[0], -1, 0.5); })},
      {"clamp by tensors", {[](Tensors x) { return clamp(x[0], x[1], x[2]); }}},
      {"kl_div with zeros", pointwise([](Tensors x) {
         return kl_div(x[0], tensor({0, 1, 0.5}), {.reduction = Reduction::none});
       })},

      {"softmax of large numbers", {[](Tensors x) { return softmax(x[0]); }}},
      {"log_softmax of large numbers", {[](Tensors x) { return log_softmax(x[0]); }}},
      {"softmax, masked", {[](Tensors x) { return softmax(x[0], -1, ends); }}},
      {"masked_fill", {[](Tensors x) { return masked_fill(x[0], ends, 0.25); }}},

      {"cross_entropy, ignoring class 4", {[](Tensors x) {
         return cross_entropy(x[0], indices({1, 4, 0, 2, 4, 0}, {6}), {.ignored_class = 4});
       }}},
      {"cross_entropy of large logits",
       {[](Tensors x) { return cross_entropy(x[0], classes, {.reduction = Reduction::sum}); }}},

      {"layer_norm", {[](Tensors x) { return layer_norm(x[0]); }}},
      {"layer_norm with weight and bias",
       {[](Tensors x) { return layer_norm(x[0], x[1], x[2], 1e-3); }}},
      {"layer_norm far from zero",  // float32 numbers near 1000 are 6e-5 apart
       {[](Tensors x) { return layer_norm(x[0]); }, Scale::largest, 2e-4}},
  };
  const std::map<std::string, Row> scalar_functions{
      {"negate", pointwise([](Tensors x) { return -x[0]; })},
      {"exp", pointwise([](Tensors x) { return exp(x[0]); })},
      {"log", pointwise([](Tensors x) { return log(x[0]); })},
      {"tanh", {[](Tensors x) { return tanh(x[0]); }}},  // 1 − y² cancels where |y| nears 1
      {"sigmoid", pointwise([](Tensors x) { return sigmoid(x[0]); })},
      {"relu", pointwise([](Tensors x) { return relu(x[0]); })},
      {"softplus", pointwise([](Tensors x) { return softplus(x[0]); })},
      {"erf", pointwise([](Tensors x) { return erf(x[0]); })},
      {"sqrt", pointwise([](Tensors x) { return sqrt(x[0]); })},
      {"sin", pointwise([](Tensors x) { return sin(x[0]); })},
      {"cos", pointwise([](Tensors x) { return cos(x[0]); })},
      {"abs", pointwise([](Tensors x) { return abs(x[0]); })},
      {"gelu", {[](Tensors x) { return gelu(x[0]); }}},  // 1 + erf x cancels where x is negative
      {"silu", {[](Tensors x) { return silu(x[0]); }}},  // y + x · y · (1 − y) cancels
      {"add", pointwise([](Tensors x) { return x[0] + x[1]; })},
      {"subtract", pointwise([](Tensors x) { return x[0] - x[1]; })},
      {"multiply", pointwise([](Tensors x) { return x[0] * x[1]; })},
      {"divide", pointwise([](Tensors x) { return x[0] / x[1]; })},
      {"maximum", pointwise([](Tensors x) { return maximum(x[0], x[1]); })},
      {"minimum", pointwise([](Tensors x) { return minimum(x[0], x[1]); })},
      {"pow", pointwise([](Tensors x) { return pow(x[0], x[1]); })},
      {"remainder", pointwise([](Tensors x) { return remainder(x[0], x[1]); })},
      {"floor", pointwise([](Tensors x) { return floor(x[0]); })},
      {"ceil", pointwise([](Tensors x) { return ceil(x[0]); })},
      {"round", pointwise([](Tensors x) { return round(x[0]); })},
      {"sign", pointwise([](Tensors x) { return sign(x[0]); })},
      {"log1p", pointwise([](Tensors x) { return log1p(x[0]); })},
      {"expm1", pointwise([](Tensors x) { return expm1(x[0]); })},
  };
  const std::set<std::string> binary{"add",     "subtract", "multiply", "divide",
                                     "maximum", "minimum",  "pow",      "remainder"};
  for (const auto& [name, row] : scalar_functions) {
    rows[name] = row;
    rows[name + " of special values"] = row;
    if (binary.contains(name)) rows[name].scale = Scale::largest;  // broadcast gradients are sums
  }
  for (int axis = 0; axis < 3; ++axis) {
    rows[fmt::format("softmax over {}", axis)] = {[=](Tensors x) { return softmax(x[0], axis); }};
    rows[fmt::format("log_softmax over {}", axis)] = {
        [=](Tensors x) { return log_softmax(x[0], axis); }};
  }
  for (int correction = 0; correction < 3; ++correction)
    rows[fmt::format("var over 0, 2, correction {}", correction)] = {[=](Tensors x) {
      return var(x[0], {0, 2}, false, correction);
    }};
  for (const double p : {1.0, 2.0, 3.0, static_cast<double>(INFINITY)})
    rows[fmt::format("norm of order {} over 0, 2", p)] = {[=](Tensors x) {
      return norm(x[0], p, {0, 2});
    }};
  for (const auto& reduced :
       {std::pair{"mean", Reduction::mean}, {"sum", Reduction::sum}, {"none", Reduction::none}}) {
    const char* const name = reduced.first;
    const Reduction reduction = reduced.second;
    auto row = [&](const char* loss, Function function) {
      rows[fmt::format("{}, {}", loss, name)] = {std::move(function)};
    };
    const Tensor wanted = tensor({0.5, 0.25, 0, 1, 0, 1, 1, 0, 0.5});
    row("mse_loss", [=](Tensors x) { return mse_loss(x[0], x[1], reduction); });
    row("l1_loss", [=](Tensors x) { return l1_loss(x[0], x[1], reduction); });
    row("huber_loss", [=](Tensors x) { return huber_loss(x[0], x[1], 0.7, reduction); });
    row("binary_cross_entropy_with_logits", [=](Tensors x) {
      return binary_cross_entropy_with_logits(x[0], wanted, {.reduction = reduction});
    });
    row("kl_div", [=](Tensors x) { return kl_div(x[0], x[1], {.reduction = reduction}); });
    row("kl_div of logarithms", [=](Tensors x) {
      return kl_div(x[0], x[1], {.log_target = true, .reduction = reduction});
    });
  }
  for (const double smoothing : {0.0, 0.1}) {
    rows[fmt::format("cross_entropy, mean, smoothing {:.1f}", smoothing)] =
        cross_entropy_row(Reduction::mean, smoothing);
    rows[fmt::format("cross_entropy, sum, smoothing {:.1f}", smoothing)] =
        cross_entropy_row(Reduction::sum, smoothing);
    rows[fmt::format("cross_entropy, none, smoothing {:.1f}", smoothing)] =
        cross_entropy_row(Reduction::none, smoothing);
  }
  return rows;
}

Tensor read_tensor(const nlohmann::json& json) {
  std::vector<float> values;
  for (const auto& value : json["values"])
    values.push_back(value.is_string() ? std::stof(value.get<std::string>()) : value.get<float>());
  const auto sizes = json["shape"].get<std::vector<int64_t>>();
  return tensor(values, Shape(std::span(sizes)));
}

void check_close(const Tensor& x, const Tensor& expected, const Row& row) {
  REQUIRE(x.shape() == expected.shape());
  const std::vector<float> actual = x.to_vector<float>(), wanted = expected.to_vector<float>();
  double largest = 0;
  for (float value : wanted)
    if (std::isfinite(value)) largest = std::max<double>(largest, std::abs(value));
  for (size_t i = 0; i < wanted.size(); ++i) {
    INFO("element ", i, ": ", actual[i], ", PyTorch has ", wanted[i]);
    if (!std::isfinite(wanted[i])) {
      CHECK((std::isnan(wanted[i]) ? std::isnan(actual[i]) : actual[i] == wanted[i]));
      continue;
    }
    const double scale = row.scale == Scale::largest ? largest : std::abs(wanted[i]);
    CHECK(std::abs(static_cast<double>(actual[i]) - wanted[i]) <= row.tolerance * scale);
  }
}

}  // namespace

TEST_CASE("every op agrees with PyTorch in float32, forward and backward") {
  std::ifstream file(std::string(GRADUS_TEST_DATA) + "/core/golden/ops.json");
  REQUIRE(file);
  std::map<std::string, Row> rows = make_rows();
  for (const nlohmann::json& golden : nlohmann::json::parse(file)) {
    const std::string name = golden["name"];
    INFO(name);
    REQUIRE(rows.contains(name));
    std::vector<Tensor> inputs;
    for (const nlohmann::json& input : golden["inputs"])
      inputs.push_back(read_tensor(input).require_grad());
    const Tensor output = rows[name].function(inputs);
    check_close(output, read_tensor(golden["output"]), rows[name]);
    const std::vector<Tensor> gradients =
        grad({output}, inputs, {.zero_if_unreached = true}, {read_tensor(golden["seed"])});
    for (size_t i = 0; i < inputs.size(); ++i) {
      INFO("gradient of input ", i);
      check_close(gradients[i], read_tensor(golden["gradients"][i]), rows[name]);
    }
    rows.erase(name);
  }
  for (const auto& [name, row] : rows) FAIL_CHECK("there are no numbers for ", name);
}
