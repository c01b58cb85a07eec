#pragma once

#include <stdexcept>

namespace gradus {

/// What every function of Gradus throws: the op, the rule that was broken, what was given.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace gradus
