#pragma once

#include <cstdint>
#include <map>
#include <ranges>
#include <string>
#include <typeindex>
#include <utility>

namespace gradus {

namespace detail {

/// Reads the dotted name of a layer off the first of its parameters that has one: "encoder" from
/// a parameter "encoder.gates.weight" that the layer calls "gates.weight".
struct LayerName {
  std::string name;
  bool found = false;

  void operator()(const std::string& child, auto& part) {
    if (!found) visit(child, part);
  }

 private:
  void visit(const std::string& child, auto& part) {
    if constexpr (requires { part.requires_grad(), part.name(); }) {
      if (part.requires_grad() && !part.name().empty()) take(part.name(), child);
    } else if constexpr (requires { part.parameters(*this); }) {
      LayerName inner;
      part.parameters(inner);
      if (inner.found) take(inner.name, child);
    } else if constexpr (std::ranges::range<decltype(part)>) {
      int64_t i = 0;
      for (auto& one : part) (*this)(child + "." + std::to_string(i++), one);
    } else if constexpr (requires { static_cast<bool>(part), *part; }) {
      if (part) visit(child, *part);
    }
  }
  void take(const std::string& whole, const std::string& child) {
    const size_t dot = whole.size() - child.size() - 1;
    if (whole.size() > child.size() && whole[dot] == '.' && whole.ends_with(child)) {
      name = whole.substr(0, dot);
      found = true;
    }
  }
};

template <class L>
std::string layer_name(const void* layer) {
  LayerName visitor;
  if constexpr (requires(L & l) { l.parameters(visitor); })
    const_cast<L*>(static_cast<const L*>(layer))->parameters(visitor);  // which only reads
  return visitor.name;
}

}  // namespace detail

/// What runs while it lives belongs to a layer, to a part of one, or to a time step: so an Error
/// and a Trace can say where in the model they are. One line at the top of a layer's operator(), or
/// of a loop's body:
///
///     const Scope scope(this);
///     for (int64_t t = 0; t < time; ++t) {
///       const Scope step(t);
///
/// It costs a few stores; names are looked for only when somebody asks. Each thread has its own.
class Scope {
 public:
  template <class L>
  explicit Scope(const L* layer) : layer_(layer), type_(&typeid(L)), name_(&detail::layer_name<L>) {
    enter();
  }
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
  /// The layer's dotted name, where parameters() or layer_names() of a model (layers/parameters.h)
  /// has given names to its parameters; else empty.
  std::string name() const { return layer_ ? name_(layer_) : ""; }
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
  std::string (*name_)(const void*) = nullptr;
  const char* part_ = nullptr;
  int64_t time_ = -1;
  const Scope* outer_ = innermost_;

  static inline constinit thread_local const Scope* innermost_ = nullptr;
};

/// The layers that run on this thread, from the innermost outwards up to one whose dotted name is
/// known: "decoder.attention.query", "Dense, in MultiHeadAttention, in decoder". Empty outside of
/// layers.
std::string running_layers();

/// The name of a type or function, as the compiler mangles it, without namespace and arguments.
std::string short_name(const char* mangled);

/// The dotted names of a model's layers, by where they lie; see layer_names() in
/// layers/parameters.h.
using LayerNames = std::map<std::pair<const void*, std::type_index>, std::string>;

}  // namespace gradus
