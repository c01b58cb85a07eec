#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/tensor/error.h"
#include "tests/core/ops/ops_table.h"
#include "tests/onnx/write.h"

// The op table, each row in many shapes, and rows for what it has not: ops without a derivative,
// and axes of size 1 and 0 where the table's arguments leave no room for them.

using namespace gradus;
using namespace gradus::testing::table;

namespace {

const Input narrow{{2, 1, 4}}, empty{{2, 0, 4}};

Tensor as_float(const Tensor& x) { return cast(x, DType::float32); }

const std::vector<Row> further{
    {"greater", {some, row}, [](Tensors x) { return greater(x[0], x[1]); }},
    {"greater_equal", {some, row}, [](Tensors x) { return greater_equal(x[0], x[1]); }},
    {"equal", {some, row}, [](Tensors x) { return equal(x[0], x[1]); }},
    {"cast to int64", {some}, [](Tensors x) { return cast(x[0], DType::int64); }},
    {"argmax over the first axis", {some}, [](Tensors x) { return argmax(x[0], 0); }},
    {"argmax over the middle axis", {some}, [](Tensors x) { return argmax(x[0], 1); }},
    {"argmax over the last axis", {some}, [](Tensors x) { return argmax(x[0], -1); }},
    {"max over the first axis", {some}, [](Tensors x) { return max(x[0], {0}); }},
    {"mean over the last axis, kept", {some}, [](Tensors x) { return mean(x[0], {-1}, keepdims); }},
    {"softmax over the middle axis", {some}, [](Tensors x) { return softmax(x[0], 1); }},
    {"slice of one", {some}, [](Tensors x) { return slice(x[0], 1, 0, 1) + slice(x[0], 0, 0, 1); }},
    {"slice of nothing, twice",
     {some},
     [](Tensors x) { return slice(slice(x[0], 1, 0, 0), 2, 0, 0); }},
    {"slice of nothing, padded",
     {some},
     [](Tensors x) { return pad(slice(x[0], 1, 1, 1), 1, 1, 2, 7); }},
    {"pad by nothing on one side",
     {some},
     [](Tensors x) { return pad(pad(x[0], 0, 0, 2), 2, 1, 0); }},
    {"pad with gaps and both sides", {some}, [](Tensors x) { return pad(x[0], 1, 2, 1, 0.5, 1); }},
    {"pad with gaps along the first axis",
     {some},
     [](Tensors x) { return pad(x[0], 0, 0, 0, 1, 2); }},
    {"concat with an empty part", {some, empty, narrow}, [](Tensors x) { return concat(x, 1); }},
    {"concat of one part", {some}, [](Tensors x) { return concat(x, 2); }},
    {"concat of equal parts", {narrow, narrow}, [](Tensors x) { return concat(x, 1); }},
    {"concat along the last axis", {some, some}, [](Tensors x) { return concat(x, -1); }},
    {"permute of equal sizes",
     {{{2, 2, 2}}},
     [](Tensors x) {
       return permute(x[0], {1, 2, 0}) - x[0];
     }},
    {"gather from one row",
     {{{1, 4}}},
     [](Tensors x) {
       return gather(x[0], indices({0, 0}, {2}));
     }},
    {"gather of no rows",
     {matrix},
     [](Tensors x) {
       return gather(x[0], indices({}, {0, 2}));
     }},
    {"matmul over nothing",
     {{{2, 0}}, {{0, 3}}, {{2, 3}}},
     [](Tensors x) { return matmul(x[0], x[1]) + x[2]; }},
    {"linear over nothing",
     {{{2, 0}}, {{4, 0}}, row},
     [](Tensors x) { return linear(x[0], x[1], x[2]); }},
    {"argmin", {some}, [](Tensors x) { return argmin(x[0], 1); }},
    {"argmax of ties, the first", {some}, [](Tensors x) { return argmax(round(x[0]), 2); }},
    {"argmax of ties, the last", {some}, [](Tensors x) { return argmax(round(x[0]), 2, true); }},
    {"argmin of ties, the last", {some}, [](Tensors x) { return argmin(round(x[0]), 0, true); }},
    {"sort of ties", {some}, [](Tensors x) { return sort(round(x[0]), 2).indices; }},
    {"sort of ties, descending",
     {some},
     [](Tensors x) { return sort(round(x[0]), 2, true).indices; }},
    {"sort, descending", {some}, [](Tensors x) { return sort(x[0], 0, true).values; }},
    {"topk, multiplied", {some}, [](Tensors x) { return topk(x[0], 1, 2).values * x[0]; }},
    {"take_along_axis of computed indices, broadcast",
     {some, row},
     [](Tensors x) {
       return take_along_axis(x[0], reshape(argsort(x[1], 0), {1, 1, 4}), 2);
     }},
    {"one_hot of computed ids", {some}, [](Tensors x) { return one_hot(argmax(x[0], 1), 3) * 2; }},
    {"one_hot in float64",
     {some},
     [](Tensors x) { return one_hot(argmax(x[0], 0), 2, DType::float64); }},
    {"one_hot in int64",
     {some},
     [](Tensors x) { return one_hot(argmax(x[0], 0), 2, DType::int64); }},
    {"scatter_add of rows of two axes",
     {{{2, 3, 4}}},
     [](Tensors x) { return scatter_add(5, argmax(x[0], 2), x[0]); }},
    {"scatter_add of numbers",
     {{{7}}},
     [](Tensors x) { return scatter_add(9, argsort(x[0], 0), x[0]); }},
    {"scatter_add of one row with one place",
     {{{4}}},
     [](Tensors x) { return scatter_add(4, argmax(x[0], 0), reshape(sum(x[0]), {})); }},
    {"scatter_add into one row",
     {{{6, 2}}},
     [](Tensors x) {
       return scatter_add(1, zeros({6}, DType::int64), cast(x[0], DType::float64));
     }},
    {"bincount of a histogram",
     {{{20}, -4, 4}},
     [](Tensors x) {
       const Tensor bins = cast(floor(clamp(x[0] + 4, 0, 7)), DType::int64);
       return scatter_add(8, bins, ones({20}));
     }},
    {"argsort", {some}, [](Tensors x) { return argsort(x[0], 1); }},
    {"argsort, descending", {some}, [](Tensors x) { return argsort(x[0], 0, true); }},
    {"places of topk", {some}, [](Tensors x) { return topk(x[0], 1, 1).indices; }},
    {"int64", {some}, [](Tensors x) { return as_float(cast(x[0] * 100, DType::int64)); }},
};

using Shapes = std::vector<Shape>;

/// The row's own shapes; then with a single axis of size 1 or 0, and with all axes that are as long
/// as one another.
std::vector<Shapes> variants(const Row& row) {
  Shapes own;
  for (const Input& input : row.inputs) own.push_back(input.shape);
  std::vector<Shapes> result;
  std::set<std::string> known;
  auto add = [&](const Shapes& shapes) {
    std::string text;
    for (const Shape& shape : shapes) text += shape.text();
    if (known.insert(text).second) result.push_back(shapes);
  };
  add(own);
  for (int64_t size : {1, 0})
    for (size_t i = 0; i < own.size(); ++i)
      for (int axis = 0; axis < own[i].rank(); ++axis) {
        Shapes alone = own, together = own;
        alone[i][axis] = size;
        for (Shape& shape : together)
          for (int k = 0; k < shape.rank(); ++k)
            if (shape[k] == own[i][axis]) shape[k] = size;
        add(alone), add(together);
      }
  return result;
}

std::vector<Tensor> draw(const Row& row, const Shapes& shapes, Generator& generator) {
  std::vector<Tensor> result;
  for (size_t i = 0; i < shapes.size(); ++i)
    result.push_back(random_uniform(shapes[i], row.inputs[i].low, row.inputs[i].high, generator));
  return result;
}

/// Whether the op takes these shapes at all.
bool is_allowed(const Row& row, const std::vector<Tensor>& inputs) {
  try {
    row.function(inputs);
    return true;
  } catch (const Error&) {
    return false;
  }
}

void write_row(const Row& row) {
  Generator generator(11);
  int written = 0;
  for (const Shapes& shapes : variants(row)) {
    const std::vector<Tensor> inputs = draw(row, shapes, generator);
    if (!is_allowed(row, inputs)) continue;
    std::string name = row.op;
    for (const Shape& shape : shapes) name += fmt::format(" {}", shape.text());
    std::ranges::replace(name, '/', ':');
    try {
      write(
          name, row.function, [&] { return std::tuple(draw(row, shapes, generator)); }, inputs);
      ++written;
    } catch (const Error& error) {
      fmt::print("no file: {}: {}\n", row.op, error.what());
      break;
    }
  }
}

}  // namespace

void write_ops() {
  for (const std::vector<Row>* list : {&rows, &further})
    for (const Row& row : *list) write_row(row);
}
