#pragma once

#include <string>

#include "examples/step/session.h"

namespace gradus::translate {
struct Corpus;
struct Trained;
}  // namespace gradus::translate

namespace gradus::step {

/// What lesson 5 is given.
struct LessonOptions {
  std::string sentence = "We often listen to music while running.";
  std::string model;  ///< a file of the translator; if empty a small one is trained first
};

/// The lesson of this number, run now, or the trace in the file of this name.
/// Throws Error when it is neither.
Opened open_trace(const std::string& name, const LessonOptions& options = {});

/// A line per lesson.
std::string lesson_list();

/// For a session's `open`: lessons and files.
Library lessons();

/// `values` as a parameter of this name; returns it.
inline Tensor parameter(const char* name, const Tensor& values) {
  values.require_grad().set_name(name);
  return values;
}

/// Lesson 1: a scalar expression. L = (tanh(weight · input + bias) − target)²
Trace scalar_expression();
/// Lesson 2: a Dense layer, softmax and cross entropy.
Trace dense_layer();
/// Lesson 3: an LSTM cell over four time steps.
Trace lstm_cell();
/// Lesson 4: scaled dot-product attention.
Trace scaled_dot_product_attention();
/// Lesson 5: the translator on a sentence, which it translates first.
Trace translator(const LessonOptions& options);
/// What lesson 5 records: the loss of the sentence's translation by this model.
/// Throws Error for an empty sentence and for invalid UTF-8.
Trace translation(translate::Trained& trained, const std::string& sentence);
/// The small translator that it trains where it is given none, before its training.
translate::Trained small_translator(const translate::Corpus& corpus);
/// Lesson 6: a memory network's two hops, with weights that were chosen to be read.
Trace memory_network();

}  // namespace gradus::step
