#pragma once

#include <limits>
#include <string>
#include <vector>

#include "core/core.h"
#include "core/functions/gradient_check.h"
#include "core/tensor/random.h"

/// Every op, on inputs where it is smooth: the tests of gradients and the check of the ONNX export
/// go through it.
namespace gradus::testing::table {

struct Input {
  Shape shape;
  double low = -2, high = 2;  ///< where the op is smooth
};
using Tensors = const std::vector<Tensor>&;
inline constexpr double infinity = std::numeric_limits<double>::infinity();

struct Row {
  std::string op;
  std::vector<Input> inputs;
  TensorFunction function;
};

inline const Input some{{2, 3, 4}}, positive{{2, 3, 4}, 0.3, 2}, row{{4}}, matrix{{3, 4}}, one{{}};

inline const Pointwise softsign{"softsign", [](Expr x) { return x / (1 + abs(x)); }};
inline const Pointwise cell{"cell", [](Expr i, Expr f, Expr g, Expr c) {
                              return sigmoid(f + 1) * c + sigmoid(i) * tanh(g);
                            }};
inline const Pointwise twice_silu{"twice_silu", [](Expr x) { return silu(silu(x)) * 2; }};
inline const Pointwise first{"first", [](Expr a, Expr) { return a; }};
inline const Pointwise eight{"eight",
                             [](Expr a, Expr b, Expr c, Expr d, Expr e, Expr f, Expr g, Expr h) {
                               return a * b + c * d * tanh(e) - f / (2 + cos(g)) * exp(h) + a * h;
                             }};

inline Tensor indices(std::vector<int64_t> ids, const Shape& shape) { return tensor(ids, shape); }

inline Mask corner_mask() {
  return Mask::attend(tensor({{1, 1, 0, 1}, {0, 1, 1, 1}, {0, 0, 0, 0}}));
}

inline const std::vector<Row> rows{
    // pointwise
    {"add", {some, some}, [](Tensors x) { return x[0] + x[1]; }},
    {"add, broadcast", {{{2, 1, 4}}, {{3, 1}}}, [](Tensors x) { return x[0] + x[1]; }},
    {"add a number", {some}, [](Tensors x) { return 1.5 + x[0] + 2; }},
    {"subtract, broadcast", {some, row}, [](Tensors x) { return x[0] - x[1]; }},
    {"subtract from a number", {some}, [](Tensors x) { return 3 - x[0]; }},
    {"multiply", {some, some}, [](Tensors x) { return x[0] * x[1]; }},
    {"multiply, broadcast", {one, {{2, 1, 4}}, row}, [](Tensors x) { return x[0] * x[1] * x[2]; }},
    {"multiply by itself", {some}, [](Tensors x) { return x[0] * x[0]; }},
    {"multiply by a number", {some}, [](Tensors x) { return 2.5 * x[0]; }},
    {"divide, broadcast", {row, positive}, [](Tensors x) { return x[0] / x[1]; }},
    {"divide a number", {positive}, [](Tensors x) { return 2 / x[0]; }},
    {"divide by a number", {some}, [](Tensors x) { return x[0] / 3; }},
    {"negate", {some}, [](Tensors x) { return -x[0]; }},
    {"exp", {some}, [](Tensors x) { return exp(x[0]); }},
    {"log", {positive}, [](Tensors x) { return log(x[0]); }},
    {"tanh", {some}, [](Tensors x) { return tanh(x[0]); }},
    {"sigmoid", {some}, [](Tensors x) { return sigmoid(x[0]); }},
    {"relu", {some}, [](Tensors x) { return relu(x[0]) * x[0]; }},
    {"softplus", {some}, [](Tensors x) { return softplus(x[0]); }},
    {"erf", {some}, [](Tensors x) { return erf(x[0]); }},
    {"sqrt", {positive}, [](Tensors x) { return sqrt(x[0]); }},
    {"sin", {some}, [](Tensors x) { return sin(x[0]); }},
    {"cos", {some}, [](Tensors x) { return cos(x[0]); }},
    {"tan", {{{4}, -1, 1}}, [](Tensors x) { return tan(x[0]); }},
    {"asin", {{{4}, -0.8, 0.8}}, [](Tensors x) { return asin(x[0]); }},
    {"acos", {{{4}, -0.8, 0.8}}, [](Tensors x) { return acos(x[0]); }},
    {"atan", {some}, [](Tensors x) { return atan(x[0]); }},
    {"sinh", {some}, [](Tensors x) { return sinh(x[0]); }},
    {"cosh", {some}, [](Tensors x) { return cosh(x[0]); }},
    {"asinh", {some}, [](Tensors x) { return asinh(x[0]); }},
    {"acosh", {{{4}, 1.3, 3}}, [](Tensors x) { return acosh(x[0]); }},
    {"atanh", {{{4}, -0.8, 0.8}}, [](Tensors x) { return atanh(x[0]); }},
    {"abs", {some}, [](Tensors x) { return abs(x[0]) * x[0]; }},
    {"pow, broadcast", {positive, row}, [](Tensors x) { return pow(x[0], x[1]); }},
    {"pow of a number", {some}, [](Tensors x) { return pow(2.5, x[0]); }},
    {"pow to a number", {some}, [](Tensors x) { return pow(x[0], 3); }},
    {"maximum, broadcast", {some, row}, [](Tensors x) { return maximum(x[0], x[1]) * x[0]; }},
    {"minimum, broadcast", {some, row}, [](Tensors x) { return minimum(x[0], x[1]) * x[0]; }},
    {"maximum with a number", {some}, [](Tensors x) { return maximum(x[0], 0.1) * x[0]; }},
    {"minimum with a number", {some}, [](Tensors x) { return minimum(0.1, x[0]) * x[0]; }},
    {"minimum of both ways", {some, some}, [](Tensors x) { return minimum(x[0], x[1]) * x[1]; }},
    {"log1p", {positive}, [](Tensors x) { return log1p(x[0]); }},
    {"expm1", {some}, [](Tensors x) { return expm1(x[0]); }},
    {"floor, ceil, round and sign",
     {some},
     [](Tensors x) { return (floor(x[0]) + ceil(x[0]) * round(x[0]) - sign(x[0])) * x[0]; }},
    {"remainder, broadcast",
     {some, {{4}, 0.7, 0.9}},
     [](Tensors x) { return remainder(x[0], x[1]) * floor_divide(x[0], x[1]); }},
    {"clamp", {some}, [](Tensors x) { return clamp(x[0], -1, 0.5) * x[0]; }},
    {"clamp by tensors", {some, row}, [](Tensors x) { return clamp(x[0], x[1], x[1] + 1); }},
    {"multiply by a comparison", {some}, [](Tensors x) { return x[0] * greater(x[0], 0.1); }},
    {"where, broadcast",
     {some, row, one},
     [](Tensors x) { return exp(where(greater(x[0].detach(), 0), x[1], x[2])); }},
    {"where by a comparison of itself",
     {some},
     [](Tensors x) { return where(greater(x[0], 0.5), x[0] * x[0], exp(x[0])); }},
    {"gelu", {some}, [](Tensors x) { return gelu(x[0]); }},
    {"silu", {some}, [](Tensors x) { return silu(x[0]); }},
    {"a formula", {some}, [](Tensors x) { return softsign(x[0]); }},
    {"a formula of formulas", {some}, [](Tensors x) { return twice_silu(x[0]); }},
    {"a formula that is its input", {some, row}, [](Tensors x) { return first(x[0], x[1]); }},
    {"a formula of four inputs, broadcast",
     {some, row, {{3, 1}}, one},
     [](Tensors x) { return cell(x[0], x[1], x[2], x[3]); }},
    {"a formula of eight inputs",
     {row, row, row, row, row, row, row, row},
     [](Tensors x) { return eight(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]); }},
    {"a formula given one tensor twice",
     {row},
     [](Tensors x) { return cell(x[0], x[0], x[0], x[0]); }},
    // movement
    {"reshape",
     {some},
     [](Tensors x) {
       return reshape(x[0], {4, -1});
     }},
    {"reshape a permuted view",
     {some},
     [](Tensors x) {
       return reshape(permute(x[0], {2, 0, 1}), {2, 2, 6});
     }},
    {"permute",
     {some},
     [](Tensors x) {
       return permute(x[0], {2, 0, 1});
     }},
    {"transpose", {some}, [](Tensors x) { return transpose(x[0]); }},
    {"transpose named axes", {some}, [](Tensors x) { return transpose(x[0], 0, -1); }},
    {"slice", {some}, [](Tensors x) { return slice(x[0], 1, 1, 3); }},
    {"slice with a step", {{{2, 7}}}, [](Tensors x) { return slice(x[0], -1, 1, 6, 2); }},
    {"slice of nothing",
     {some},
     [](Tensors x) {
       return concat({slice(x[0], 1, 2, 2), x[0] * x[0]}, 1);
     }},
    {"slices that overlap",
     {{{7}}},
     [](Tensors x) { return slice(x[0], 0, 0, 5) * slice(x[0], 0, 2, 7) * slice(x[0], 0, 1, 6); }},
    {"index",
     {some},
     [](Tensors x) {
       return x[0][{new_axis, 1, range(0, -1), ellipsis, range({}, {}, 3)}];
     }},
    {"index by a list",
     {some},
     [](Tensors x) {
       return x[0][{all, indices({2, 0, 2, 1}, {2, 2}), 1}];
     }},
    {"clone", {some}, [](Tensors x) { return clone(transpose(x[0])); }},
    {"pad", {some}, [](Tensors x) { return pad(x[0], 1, 2, 1, 0.5); }},
    {"pad with gaps", {some}, [](Tensors x) { return pad(x[0], -1, 1, 0, 0, 2); }},
    {"expand",
     {{{3, 1}}},
     [](Tensors x) {
       return expand(x[0], {2, 3, 4});
     }},
    {"unsqueeze", {some}, [](Tensors x) { return unsqueeze(x[0], -1); }},
    {"squeeze", {{{2, 1, 4}}}, [](Tensors x) { return squeeze(x[0], 1); }},
    {"concat",
     {some, {{2, 1, 4}}, {{2, 2, 4}}},
     [](Tensors x) {
       return concat({x[0], x[1], x[2], x[1]}, 1);
     }},
    {"stack",
     {matrix, matrix},
     [](Tensors x) {
       return stack({x[0], x[1], x[0]}, 1);
     }},
    {"split",
     {some},
     [](Tensors x) {
       const std::vector<Tensor> part = split(x[0], 2, -1);
       return part[0] * exp(part[1]);
     }},
    {"contiguous", {some}, [](Tensors x) { return contiguous(transpose(x[0])); }},
    {"cast", {some}, [](Tensors x) { return cast(x[0], DType::float64); }},
    // reductions
    {"sum", {some}, [](Tensors x) { return sum(x[0]); }},
    {"sum over one axis", {some}, [](Tensors x) { return sum(x[0], {1}); }},
    {"sum over two axes, kept",
     {some},
     [](Tensors x) {
       return sum(x[0], {0, -1}, keepdims);
     }},
    {"sum of a scalar", {one}, [](Tensors x) { return sum(x[0]); }},
    {"mean", {some}, [](Tensors x) { return mean(x[0]); }},
    {"mean over two axes",
     {some},
     [](Tensors x) {
       return mean(x[0], {0, 1});
     }},
    {"max", {some}, [](Tensors x) { return max(x[0]); }},
    {"max over one axis", {some}, [](Tensors x) { return max(x[0] * x[0], {1}); }},
    {"max over two axes, kept",
     {some},
     [](Tensors x) {
       return max(x[0], {0, 2}, keepdims);
     }},
    {"min over one axis", {some}, [](Tensors x) { return min(x[0] * x[0], {-1}); }},
    {"prod", {{{2, 3}}}, [](Tensors x) { return prod(x[0]); }},
    {"prod over two axes, kept",
     {some},
     [](Tensors x) {
       return prod(x[0], {0, 1}, keepdims);
     }},
    {"var", {some}, [](Tensors x) { return var(x[0]); }},
    {"var over two axes, kept, biased",
     {some},
     [](Tensors x) {
       return var(x[0], {0, 2}, keepdims, 0);
     }},
    {"stddev over one axis", {some}, [](Tensors x) { return stddev(x[0], {1}); }},
    {"norm", {some}, [](Tensors x) { return norm(x[0]); }},
    {"norm of order 1 over one axis", {positive}, [](Tensors x) { return norm(x[0], 1, {1}); }},
    {"norm of order 3 over two axes, kept",
     {positive},
     [](Tensors x) {
       return norm(x[0], 3, {0, 2}, keepdims);
     }},
    {"norm of order ∞", {some}, [](Tensors x) { return norm(x[0], infinity, {0}); }},
    {"cumsum", {some}, [](Tensors x) { return cumsum(x[0], 1) * x[0]; }},
    {"cumsum from the end", {some}, [](Tensors x) { return cumsum(x[0], -1, true) * x[0]; }},
    {"cumprod", {{{2, 5}}}, [](Tensors x) { return cumprod(x[0], 1); }},
    {"sort", {some}, [](Tensors x) { return exp(sort(x[0], 1).values); }},
    {"topk", {some}, [](Tensors x) { return exp(topk(x[0], 2).values); }},
    {"topk of the smallest", {some}, [](Tensors x) { return exp(topk(x[0], 1, 0, false).values); }},
    {"logsumexp", {some}, [](Tensors x) { return logsumexp(x[0]); }},
    {"logsumexp over one axis", {some}, [](Tensors x) { return logsumexp(x[0], {1}); }},
    {"logsumexp over two axes, kept",
     {some},
     [](Tensors x) {
       return logsumexp(x[0], {0, 2}, keepdims);
     }},
    // matrix products
    {"matmul", {{{2, 3}}, matrix}, [](Tensors x) { return matmul(x[0], x[1]); }},
    {"matmul with itself", {{{3, 3}}}, [](Tensors x) { return matmul(x[0], x[0]); }},
    {"matmul of transposed views",
     {{{3, 2}}, {{4, 3}}},
     [](Tensors x) { return matmul(transpose(x[0]), transpose(x[1])); }},
    {"matmul of batches", {{{2, 2, 3}}, {{2, 3, 4}}}, [](Tensors x) { return matmul(x[0], x[1]); }},
    {"matmul of broadcast batches",
     {{{2, 1, 2, 3}}, {{3, 3, 2}}},
     [](Tensors x) { return matmul(x[0], x[1]); }},
    {"matmul of batches and a matrix",
     {{{2, 2, 3}}, matrix},
     [](Tensors x) { return matmul(x[0], x[1]); }},
    {"matmul of a matrix and batches",
     {{{2, 3}}, {{2, 3, 2}}},
     [](Tensors x) { return matmul(x[0], x[1]); }},
    {"matmul of transposed batches",
     {some, some},
     [](Tensors x) { return matmul(x[0], transpose(x[1])); }},
    {"matmul used twice",
     {{{2, 3}}, {{3, 2}}},
     [](Tensors x) { return matmul(matmul(x[0], x[1]), x[0]); }},
    {"einsum",
     {{{2, 3, 4}}, {{4, 3}}, {{2, 5}}},
     [](Tensors x) {
       return einsum("bij,ji,bk->kb", {x[0], x[1], x[2]});
     }},
    {"einsum of a diagonal and further axes",
     {{{3, 2, 3}}, {{1, 4}}},
     [](Tensors x) {
       return einsum("i...i,...j", {x[0], x[1]});
     }},
    {"linear", {{{2, 3}}, {{4, 3}}}, [](Tensors x) { return linear(x[0], x[1]); }},
    {"linear of batches with a bias",
     {{{2, 2, 3}}, {{4, 3}}, row},
     [](Tensors x) { return linear(x[0], x[1], x[2]); }},
    {"linear of one row, with a bias of its own for each",
     {{{3}}, {{4, 3}}, row},
     [](Tensors x) { return linear(x[0], x[1], x[2]); }},
    {"linear with a bias for each row",
     {{{2, 2, 3}}, {{4, 3}}, {{2, 1, 4}}},
     [](Tensors x) { return linear(x[0], x[1], x[2]); }},
    // rows by number
    {"gather",
     {matrix},
     [](Tensors x) {
       return gather(x[0], indices({2, 0, 2, 2, 1, 0}, {2, 3}));
     }},
    {"gather used twice",
     {matrix},
     [](Tensors x) {
       return gather(x[0], indices({2, 0}, {2})) * gather(x[0], indices({1, 2}, {2}));
     }},
    {"scatter_add",
     {{{2, 2, 3}}},
     [](Tensors x) {
       return scatter_add(4, indices({3, 0, 3, 1}, {2, 2}), x[0]);
     }},
    {"index_select",
     {some},
     [](Tensors x) {
       return index_select(x[0], -1, indices({3, 0, 3, 1}, {2, 2}));
     }},
    {"take_along_axis, broadcast",
     {some},
     [](Tensors x) {
       return take_along_axis(x[0], indices({0, 2, 1, 1, 2, 0, 0, 1}, {2, 1, 4}), 1);
     }},
    {"masked_select",
     {some},
     [](Tensors x) {
       return masked_select(x[0], tensor({{1}, {0}, {1}}));
     }},
    // masks and normalisation
    {"masked_fill", {some}, [](Tensors x) { return masked_fill(x[0], corner_mask(), 0.5); }},
    {"softmax", {some}, [](Tensors x) { return softmax(x[0]); }},
    {"softmax over the first axis", {some}, [](Tensors x) { return softmax(x[0], 0); }},
    {"softmax, masked", {some}, [](Tensors x) { return softmax(x[0], -1, corner_mask()); }},
    {"log_softmax", {some}, [](Tensors x) { return log_softmax(x[0]); }},
    {"log_softmax over the middle axis", {some}, [](Tensors x) { return log_softmax(x[0], 1); }},
    {"layer_norm", {some}, [](Tensors x) { return layer_norm(x[0]); }},
    {"layer_norm with weight and bias",
     {some, row, row},
     [](Tensors x) { return layer_norm(x[0], x[1], x[2], 1e-3); }},
    {"layer_norm with bias only",
     {some, row},
     [](Tensors x) { return layer_norm(x[0], {}, x[1]); }},
    {"cross_entropy",
     {matrix},
     [](Tensors x) {
       return cross_entropy(x[0], indices({1, 3, 0}, {3}));
     }},
    {"cross_entropy of nested rows, summed",
     {some},
     [](Tensors x) {
       return cross_entropy(x[0], indices({1, 3, 0, 2, 2, 1}, {2, 3}),
                            {.reduction = Reduction::sum});
     }},
    {"cross_entropy of each row, an ignored class and smoothing",
     {matrix},
     [](Tensors x) {
       return cross_entropy(
           x[0], indices({1, 2, 0}, {3}),
           {.ignored_class = 2, .label_smoothing = 0.2, .reduction = Reduction::none});
     }},
    {"cross_entropy averaged over the rows that count",
     {matrix},
     [](Tensors x) {
       return cross_entropy(x[0], indices({1, -100, 0}, {3}), {.label_smoothing = 0.1});
     }},
    {"mse_loss", {some, some}, [](Tensors x) { return mse_loss(x[0], x[1]); }},
    {"l1_loss", {some, some}, [](Tensors x) { return l1_loss(x[0], x[1], Reduction::sum); }},
    {"huber_loss",
     {some, some},
     [](Tensors x) { return huber_loss(x[0], x[1], 0.7, Reduction::none); }},
    {"binary_cross_entropy_with_logits",
     {some, {{2, 3, 4}, 0, 1}},
     [](Tensors x) { return binary_cross_entropy_with_logits(x[0], x[1]); }},
    {"binary_cross_entropy_with_logits, weighted",
     {some, {{2, 3, 4}, 0, 1}, row},
     [](Tensors x) {
       return binary_cross_entropy_with_logits(x[0], x[1],
                                               {.pos_weight = x[2], .reduction = Reduction::none});
     }},
    {"kl_div", {some, positive}, [](Tensors x) { return kl_div(x[0], x[1]); }},
    {"kl_div of logarithms",
     {some, some},
     [](Tensors x) {
       return kl_div(x[0], x[1], {.log_target = true, .reduction = Reduction::none});
     }},
    {"dropout",
     {some},
     [](Tensors x) {
       Generator generator(5);
       return dropout(x[0], 0.4, &generator);
     }},
};

}  // namespace gradus::testing::table
