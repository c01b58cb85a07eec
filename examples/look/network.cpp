#include "examples/look/network.h"

#include <fmt/format.h>

#include <cmath>

#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"
#include "layers/initialise.h"

namespace gradus::look {

namespace {

int64_t checked(int64_t across, int64_t size) {
  if (across < 3 || size < 2 || size % 2 != 0)
    throw Error(fmt::format(
        "patch_encoder: expected three cells across or more and an even size, got {} and {}",
        across, size));
  return across;
}

/// (patches, size): sine and cosine of the row in the first half, of the column in the second.
Tensor grid_positions(int64_t across, int64_t size) {
  const Tensor line = sinusoidal_positions(across, size / 2);
  const Shape grid{across, across, size / 2};
  return reshape(concat({expand(unsqueeze(line, 1), grid), expand(unsqueeze(line, 0), grid)}, -1),
                 {across * across, size});
}

}  // namespace

PatchEncoder::PatchEncoder(int64_t across, int64_t cell_size, int64_t size, Generator& generator)
    : across(checked(across, size)),
      cell(cell_size, size / 2, generator),
      patch(9 * (size / 2), size, generator),
      content(size, size, generator),
      places((grid_positions(across - 2, size) * 2).detach().require_grad()) {
  for (Dense* dense : {&cell, &patch, &content}) {
    const double gain = dense == &content ? 2 : std::sqrt(2);
    dense->weight.assign(kaiming_uniform(dense->weight.shape(), generator, gain));
    dense->bias.assign(zeros(dense->bias.shape()));
  }
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
  return reshape(content(x), {pictures, patches * patches, x.size(3)}) + places;
}

Hop::Hop(int64_t size, int64_t heads, Generator& generator)
    : look_norm(size),
      think_norm(size),
      look(Join::gated, size, {size}, heads, generator),
      think(size, 2 * size, generator) {}

FusionOutput Hop::operator()(const Tensor& x, const Modality& picture) const {
  const Scope scope(this);
  const FusionOutput seen = look({look_norm(x)}, {picture});
  return {seen.output + think(think_norm(seen.output)), seen.weights};
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
  for (int64_t i = 0; i < o.hops; ++i) hops.emplace_back(o.size, o.heads, generator);
}

LookOutput LookNetwork::operator()(const Tensor& cells, const Tensor& questions) const {
  const Scope scope(this);
  Tensor x = words ? sum((*words)(questions), {2})
                   : zeros({questions.size(0), questions.size(1), options.size}, cells.dtype());
  LookOutput output;
  if (picture) {
    const Modality seen{(*picture)(cells)};
    for (const Hop& hop : hops) {
      FusionOutput looked = hop(x, seen);
      x = looked.output;
      output.weights.push_back(looked.weights[0]);
    }
  }
  output.logits = answer(relu(hidden(norm(x))));
  return output;
}

}  // namespace gradus::look
