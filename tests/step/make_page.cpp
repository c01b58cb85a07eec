#include <fmt/core.h>

#include "examples/step/page.h"
#include "tests/translate/toy.h"

using namespace gradus;

/// Writes the page of a translator's training step, for the test in the browser.
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto pairs = translate::toy::pairs();
  const translate::Trained trained =
      translate::toy::untrained(pairs, {.embedding = 8, .hidden = 12});
  const translate::Batch batch = translate::make_batch(
      translate::encode({pairs[3], pairs[11]}, trained.source, trained.target));
  Trace trace;
  Tensor odd = tensor({1, std::numeric_limits<double>::quiet_NaN()}).require_grad();
  odd.set_name("</script><script>throw 1</script><img src=x onerror=alert(1)>&amp;\"'");
  {
    const auto recording = trace.record();
    (trained.model.loss(batch) + sum(odd)).backward();
  }
  trace.queries = {"<b>我们</b>", "\"&'", "个"};
  trace.keys = {"we", "</table>", "two"};
  step::write_page(trace, argv[1]);
}
