#pragma once

#include <stdexcept>
#include <string>

namespace gradus {

/// What every function of Gradus throws: the op, the rule that was broken, what was given.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Calls `f`, whose Errors then begin with `place`: a file's path, for instance.
template <class F>
auto errors_at(const std::string& place, F f) {
  try {
    return f();
  } catch (const Error& error) {
    throw Error(place + ": " + error.what());
  }
}

}  // namespace gradus
