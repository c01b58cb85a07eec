#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <typeindex>
#include <utility>

namespace gradus {

/// What runs while it lives belongs to a layer, to a part of one, or to a time step: a Trace then
/// says where in the model an op ran. One line at the top of a layer's operator(), or of a
/// loop's body:
///
///     const Scope scope(this);
///     for (int64_t t = 0; t < time; ++t) {
///       const Scope step(t);
class Scope {
 public:
  template <class L>
  explicit Scope(const L* layer) : Scope(layer, typeid(L)) {}
  Scope(const void* layer, const std::type_info& type) : layer_(layer), type_(&type) { enter(); }
  /// `part` must live as long: a literal.
  explicit Scope(const char* part) : part_(part) { enter(); }
  explicit Scope(int64_t time) : time_(time) { enter(); }
  ~Scope() { innermost_ = outer_; }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// The scopes of this thread, from the innermost outwards.
  static const Scope* innermost() { return innermost_; }
  const Scope* outer() const { return outer_; }

  const void* layer() const { return layer_; }
  const std::type_info* type() const { return type_; }  ///< of the layer
  const char* part() const { return part_; }
  int64_t time() const { return time_; }  ///< −1 if it is none

 private:
  void enter() {
#ifndef GRADUS_WITHOUT_TRACE
    innermost_ = this;
#endif
  }

  const void* layer_ = nullptr;
  const std::type_info* type_ = nullptr;
  const char* part_ = nullptr;
  int64_t time_ = -1;
  const Scope* outer_ = innermost_;

  static inline constinit thread_local const Scope* innermost_ = nullptr;
};

/// The dotted names of a model's layers, by where they lie; see layer_names() in
/// layers/parameters.h.
using LayerNames = std::map<std::pair<const void*, std::type_index>, std::string>;

}  // namespace gradus
