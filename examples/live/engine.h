#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace gradus::live {

/// What stands behind the live page: it asks in JSON and is answered in JSON. A request is
/// {"do": NAME, …}; an answer has what stands behind the arrow, or {"error": text}, and then
/// nothing has changed. `trace` is what examples/step/page.h calls page_data(): the computation
/// that is on the page.
///
///     open       lesson: 1 to 6, sentence       → trace
///     set        node, value, element, again    → trace, left: one element, or all; what depends
///                                                 on it runs again. With `again`, while a value
///                                                 is dragged, it takes the last change's place
///     undo                                      → trace, left
///     check                                     → trace, with verdicts
///     into       node                           → trace: the ops that define a fused one
///     out                                       → trace
///     formula    text                           → formula, derivative, plot, verdict
///     ops                                       → ops: the functions that `put` can replace
///     put        text, instead_of               → trace, count: the formula in their place
///     train      steps, milliseconds, optimizer,
///                rate, clip, seed, new          → run, from, steps, stride, names, stopped,
///                                                 full: a step in `stride` is kept; with
///                                                 `new` it is another run
///     show       run, step, beside: [run, step] → trace: a step of a training
///     learn      milliseconds, new              → step, of, loss, done: the translator
///     translate  text                           → text, words, known, tokens, attention
///     model      base64                         → a translator's file is read
///     exercises  text                           → exercises: those of the page, or of a file
///     mark       number, text                   → right, hint, given, wanted
///     memory                                    → bytes that the engine has taken, in a browser
class Engine {
 public:
  Engine();
  ~Engine();
  std::string answer(std::string_view request);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace gradus::live
