#include "examples/look/network.h"

#include "core/ops/functions.h"
#include "core/ops/gather.h"
#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "core/tensor/scope.h"

namespace gradus::look {

namespace {

/// Each patch with the eight around it, (pictures, patches, n) → (pictures, patches, 9 n); zeros
/// beyond the edge.
Tensor with_neighbours(const Tensor& x) {
  const int64_t pictures = x.size(0), n = x.size(2), across = patches_across;
  const Tensor grid = pad(pad(reshape(x, {pictures, across, across, n}), 1, 1, 1), 2, 1, 1);
  std::vector<Tensor> parts;
  for (int64_t dy = 0; dy < 3; ++dy)
    for (int64_t dx = 0; dx < 3; ++dx)
      parts.push_back(slice(slice(grid, 1, dy, dy + across), 2, dx, dx + across));
  return reshape(concat(parts, -1), {pictures, patch_count, 9 * n});
}

/// (patches, size): sine and cosine of the row in the first half, of the column in the second.
Tensor grid_positions(int64_t size) {
  const Tensor line = sinusoidal_positions(patches_across, size / 2);
  const Shape grid{patches_across, patches_across, size / 2};
  return reshape(concat({expand(unsqueeze(line, 1), grid), expand(unsqueeze(line, 0), grid)}, -1),
                 {patch_count, size});
}

}  // namespace

Hop::Hop(int64_t size, int64_t heads, Generator& generator)
    : look_norm(size),
      think_norm(size),
      look(Join::gated, size, {size}, heads, generator),
      think(size, 2 * size, generator) {}

FusionOutput Hop::operator()(const Tensor& x, const Modality& picture) const {
  const Scope scope(this);
  FusionOutput seen = look({look_norm(x)}, {picture});
  return {seen.output + think(think_norm(seen.output)), seen.weights};
}

LookNetwork::LookNetwork(int64_t word_count, int64_t answers, const LookOptions& o,
                         Generator& generator)
    : options(o),
      words(word_count, o.size, generator),
      reader(o.size, o.heads, generator, {.feed_forward = 2 * o.size}),
      patch(patch_size, o.size, generator),
      around(9 * o.size, o.size, generator),
      content(o.size, o.size, generator),
      content_norm(o.size),
      places(grid_positions(o.size).require_grad()),
      norm(o.size),
      hidden(o.size, 2 * o.size, generator),
      answer(2 * o.size, answers, generator) {
  for (int64_t i = 0; i < o.hops; ++i) hops.emplace_back(o.size, o.heads, generator);
}

Tensor LookNetwork::read(const Tensor& sentences, const Mask& mask) const {
  const Tensor x = words(sentences) + sinusoidal_positions(sentences.size(1), options.size);
  const Tensor y = masked_fill(reader(x, mask), mask.unsqueeze(-1), 0);
  return sum(y, {1}) / sum(mask.attended(), {1}, true);
}

Tensor LookNetwork::see(const Tensor& patches) const {
  const Tensor parts = relu(patch(patches));
  const Tensor x = relu(around(with_neighbours(parts)));
  return content_norm(content(x) + places);
}

LookOutput LookNetwork::operator()(const Tensor& patches, const Tensor& sentences, const Mask& mask,
                                   const Tensor& asked) const {
  const Scope scope(this);
  Tensor x = gather(read(sentences, mask), asked);
  if (!options.question) x = x * 0;
  LookOutput output;
  if (options.picture) {
    const Modality picture{see(patches)};
    for (const Hop& hop : hops) {
      FusionOutput seen = hop(x, picture);
      x = seen.output;
      output.weights.push_back(seen.weights[0]);
    }
  }
  output.logits = answer(relu(hidden(norm(x))));
  return output;
}

}  // namespace gradus::look
