#include "examples/step/step.h"

#include <iostream>

#include "examples/step/line_editor.h"

namespace gradus::step {

int step_through(const std::function<void()>& compute, LayerNames names, Language language) {
  speak(language);
  Trace trace;
  {
    const auto recording = trace.record(std::move(names));
    compute();
  }
  Session session(std::move(trace), screen_of_terminal());
  std::cout << said("{}. 'next' steps, 'help' lists the commands.\n",
                    counted(session.trace().size(), "node"));
  return converse(session);
}

}  // namespace gradus::step
