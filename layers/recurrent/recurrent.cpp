#include "layers/recurrent/recurrent.h"

namespace gradus {

namespace {

thread_local bool step_by_step = false;

}  // namespace

StepByStep::StepByStep(bool active) : before_(step_by_step) {
  step_by_step = step_by_step || active;
}
StepByStep::~StepByStep() { step_by_step = before_; }
bool StepByStep::in_force() { return step_by_step; }

}  // namespace gradus
