#pragma once

#include <stdexcept>
#include <string>

namespace gradus {

/// What every function of Gradus throws: the op, what was expected, what was given, and, inside of
/// a layer, where:
///
///     matmul: inner sizes differ: (64, 256) · (128, 512), in decoder.attention.query
///
/// The constructor adds the last part: see running_layers() in core/tensor/scope.h.
///
/// Memory for a tensor that cannot be had is such an Error as well. Where an op's own working
/// memory or the C++ library's cannot be had, that is std::bad_alloc, as anywhere.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message);

  /// The same error, beginning with `place`: a file's path, for instance.
  Error at(const std::string& place) const;

 private:
  struct Complete {};
  Error(const std::string& message, Complete) : std::runtime_error(message) {}
};

/// Calls `f`, whose Errors then begin with `place`.
template <class F>
auto errors_at(const std::string& place, F f) {
  try {
    return f();
  } catch (const Error& error) {
    throw error.at(place);
  }
}

}  // namespace gradus
