#include <cstdlib>
#include <limits>

#include "examples/step/page.h"
#include "tests/translate/toy.h"

using namespace gradus;
using namespace gradus::translate;

namespace {

Trace training_step(const Translator& model, const Batch& batch) {
  // A name that would break HTML, and a NaN.
  Tensor odd = tensor({1, std::numeric_limits<double>::quiet_NaN()}).require_grad();
  odd.set_name("</script><script>throw 1</script><img src=x onerror=alert(1)>&amp;\"'");
  Trace trace;
  {
    const auto recording = trace.record();
    (model.loss(batch) + sum(odd)).backward();
  }
  trace.queries = {"<b>我们</b>", "\"&'", "个"};
  trace.keys = {"we", "</table>", "two"};
  return trace;
}

}  // namespace

namespace {

/// An attention of so many queries to as many keys.
Trace large_attention(int64_t count) {
  Generator generator(1);
  const Tensor queries = random_normal({count, 8}, 0, 1, generator).require_grad();
  const Tensor keys = random_normal({count, 8}, 0, 1, generator).require_grad();
  Trace trace;
  const auto recording = trace.record();
  sum(matmul(softmax(matmul(queries, transpose(keys))), keys)).backward();
  return trace;
}

}  // namespace

/// Writes the page of a translator's training step, beside one with another bias, or with a number
/// that of so large an attention, for the test in the browser.
int main(int argc, char** argv) {
  if (argc == 3) step::write_page(large_attention(std::atoi(argv[2])), argv[1]);
  if (argc != 2) return argc == 3 ? 0 : 2;
  const auto pairs = toy::pairs();
  Trained trained = toy::untrained(pairs, {.embedding = 8, .hidden = 12});
  const Batch batch = make_batch(encode({pairs[3], pairs[11]}, trained.source, trained.target));
  const Trace trace = training_step(trained.model, batch);
  Tensor& bias = std::get<LSTMModel>(trained.model.model).output.bias;
  bias.assign(bias.detach() + 0.25);
  const Trace other = training_step(trained.model, batch);
  step::write_page(trace, argv[1], &other);
}
