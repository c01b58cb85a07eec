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
///     open      lesson: 1 to 6 [, sentence]      → trace, name
///     set       node, value [, element]          → trace      one element, or all; the rest runs
///     again undo                                       → trace, left check → trace      with
///     verdicts into      node  ·  out                     → trace      the ops that define a fused
///     one formula   text                             → formula, derivative, plot, verdict put
///     text, instead_of: op             → trace      the formula in place of these ops ops → ops
///     those that `put` can replace train     steps, milliseconds [, optimizer, rate, clip, seed;
///     new: true for another run]
///                                                → run, steps (new ones), names, stopped
///     show      run, step [, beside: [run, step]] → trace     a step of a training
///     learn     milliseconds [, new: true]       → step, of, loss     the translator
///     translate text                             → words, tokens, attention, known; then `open` 5
///     model     base64                           →            the translator's own file
///     exercises [text]                           → exercises: those of the page, or of a file
///     mark      number, text                     → right, hint, given, wanted
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
