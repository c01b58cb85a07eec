#include "examples/look/network.h"

#include <fmt/format.h>

#include <cmath>

#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"
#include "layers/initialise.h"

namespace gradus::look {

namespace {

int64_t checked(int64_t across) {
  if (across < 4)
    throw Error(fmt::format("patch_encoder: expected four cells across or more, got {}", across));
  return across;
}

/// (across², 3): x, y and x² + y² of places row by row, where x and y are within ±1.
Tensor grid_places(int64_t across) {
  const Tensor line = arange(across) * (2 / double(across - 1)) - 1;
  const Shape grid{across, across};
  const Tensor x = expand(unsqueeze(line, 0), grid), y = expand(unsqueeze(line, 1), grid);
  return reshape(stack({x, y, x * x + y * y}, 2), {across * across, 3});
}

}  // namespace

PatchEncoder::PatchEncoder(int64_t across, int64_t cell_size, int64_t size, Generator& generator)
    : across(checked(across)),
      places(grid_places(across - 2)),
      cell(cell_size, (size + 1) / 2, generator),
      patch(9 * cell.weight.size(0), size, generator),
      content(size, size, generator),
      place(3, size, generator, {.bias = false}) {
  const auto start = [&](Dense& dense, double gain) {
    dense.weight.assign(kaiming_uniform(dense.weight.shape(), generator, gain));
    if (dense.bias.defined()) dense.bias.assign(zeros(dense.bias.shape()));
  };
  start(cell, std::sqrt(2)), start(patch, std::sqrt(2)), start(content, 2), start(place, 1);
}

Tensor PatchEncoder::operator()(const Tensor& cells) const {
  const Scope scope(this);
  if (cells.rank() != 3 || cells.size(1) != across * across)
    throw Error(fmt::format("patch_encoder: expected cells of shape (pictures, {}, {}), got {}",
                            across * across, cell.weight.size(1), cells.description()));
  const int64_t pictures = cells.size(0), patches = across - 2, n = cell.weight.size(0);
  const Tensor grid = reshape(relu(cell(cells)), {pictures, across, across, n});
  std::vector<Tensor> parts;
  for (int64_t row = 0; row < 3; ++row)
    for (int64_t column = 0; column < 3; ++column)
      parts.push_back(slice(slice(grid, 1, row, row + patches), 2, column, column + patches));
  const Tensor x = relu(patch(concat(parts, -1)));
  return reshape(content(x), {pictures, patches * patches, x.size(3)}) +
         place(cast(places, cells.dtype()));
}

Hop::Hop(int64_t size, int64_t heads, Generator& generator)
    : look_norm(size),
      think_norm(size),
      look(Join::gated, size, {size}, heads, generator),
      think(size, 2 * size, generator) {}

FusionOutput Hop::operator()(const Tensor& x, const Modality& seen) const {
  const Scope scope(this);
  const FusionOutput y = look({look_norm(x)}, {seen});
  return {y.output + think(think_norm(y.output)), y.weights};
}

LookNetwork::LookNetwork(int64_t across, int64_t cell_size, int64_t word_count, int64_t answers,
                         const LookOptions& o, Generator& generator)
    : options(o),
      norm(o.size),
      hidden(o.size, 2 * o.size, generator),
      answer(2 * o.size, answers, generator) {
  if (o.question) words.emplace(word_count, o.size, generator, 0);
  if (!o.picture) return;
  picture.emplace(across, cell_size, o.size, generator);
  objects = random_normal({o.objects, o.size}, 0, 1, generator).require_grad();
  for (int64_t i = 0; i < o.hops; ++i) hops.emplace_back(o.size, o.heads, generator);
}

LookOutput LookNetwork::operator()(const Tensor& cells, const Tensor& questions) const {
  const Scope scope(this);
  const int64_t pictures = questions.size(0), asked = questions.size(1);
  Tensor x =
      words ? sum((*words)(questions), {2}) : zeros({pictures, asked, options.size}, cells.dtype());
  LookOutput output;
  if (picture) {
    x = concat({x, expand(objects, {pictures, options.objects, options.size})}, 1);
    const auto of_objects = [&](const Tensor& t) { return slice(t, 1, asked, t.size(1)); };
    Tensor found;
    for (const Hop& hop : hops) {
      const FusionOutput looked =
          hop(x, {found.defined() ? hop.look_norm(of_objects(x)) : (*picture)(cells)});
      const Tensor weights = mean(looked.weights[0], {1});
      output.weights.push_back(
          slice(found.defined() ? matmul(weights, found) : weights, 1, 0, asked));
      if (!found.defined()) found = of_objects(weights);
      x = looked.output;
    }
    x = slice(x, 1, 0, asked);
  }
  output.logits = answer(relu(hidden(norm(x))));
  return output;
}

}  // namespace gradus::look
