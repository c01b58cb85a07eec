#pragma once

#include <cmath>
#include <utility>
#include <vector>

/// Automatic differentiation as plainly as it can be written: one node per scalar, in long double.
/// The gradient is made of nodes, too, so that it can be differentiated again.
namespace gradus::differential {

class ScalarGraph {
 public:
  using Scalar = int;  ///< the number of a node
  using Real = long double;

  Real value(Scalar x) const { return nodes_[at(x)].value; }
  size_t size() const { return nodes_.size(); }

  Scalar constant(Real v) { return push({Kind::constant, -1, -1, v}); }
  Scalar leaf(Real v) { return push({Kind::leaf, -1, -1, v}); }
  Scalar copy(Scalar a) { return push({Kind::copy, a, -1, value(a)}); }
  /// a, whose value was overwritten: the gradient still flows to what computed it.
  Scalar overwritten(Scalar a, Real v) { return push({Kind::copy, a, -1, v}); }
  Scalar add(Scalar a, Scalar b) { return push({Kind::add, a, b, value(a) + value(b)}); }
  Scalar multiply(Scalar a, Scalar b) { return push({Kind::multiply, a, b, value(a) * value(b)}); }
  Scalar scale(Scalar a, Real c) { return multiply(a, constant(c)); }
  Scalar tanh(Scalar a) { return push({Kind::tanh, a, -1, std::tanh(value(a))}); }
  Scalar exp(Scalar a) { return push({Kind::exp, a, -1, std::exp(value(a))}); }
  Scalar sin(Scalar a) { return push({Kind::sin, a, -1, std::sin(value(a))}); }
  Scalar cos(Scalar a) { return push({Kind::cos, a, -1, std::cos(value(a))}); }
  Scalar relu(Scalar a) { return value(a) > 0 ? copy(a) : scale(a, 0); }
  Scalar reciprocal(Scalar a) { return push({Kind::reciprocal, a, -1, 1 / value(a)}); }
  Scalar reciprocal_root(Scalar a) {
    return push({Kind::reciprocal_root, a, -1, 1 / std::sqrt(value(a))});
  }
  Scalar sum(const std::vector<Scalar>& terms) {
    Scalar total = terms.empty() ? constant(0) : copy(terms[0]);
    for (size_t i = 1; i < terms.size(); ++i) total = add(total, terms[i]);
    return total;
  }

  /// Whenever the gradient of x is complete, it is multiplied by the factor.
  void hook(Scalar x, Real factor) { nodes_[at(x)].factor *= factor; }

  /// Σ seed · d(output)/d(wrt) for each of them; −1 where none depends on it.
  std::vector<Scalar> differentiate(const std::vector<std::pair<Scalar, Scalar>>& seeds,
                                    const std::vector<Scalar>& wrt) {
    const size_t n = nodes_.size();
    std::vector<bool> leads(n);
    for (Scalar x : wrt) leads[at(x)] = true;
    for (size_t i = 0; i < n; ++i)
      for (Scalar parent : {nodes_[i].a, nodes_[i].b})
        if (parent >= 0 && leads[at(parent)]) leads[i] = true;
    std::vector<Scalar> gradient(n, -1);
    auto flow = [&](Scalar to, Scalar g) {
      if (to < 0 || !leads[at(to)]) return;
      Scalar& so_far = gradient[at(to)];
      so_far = so_far < 0 ? g : add(so_far, g);
    };
    for (const auto& [output, seed] : seeds) flow(output, seed);
    for (size_t i = n; i-- > 0;) {
      if (gradient[i] < 0) continue;
      if (nodes_[i].factor != 1) gradient[i] = scale(gradient[i], nodes_[i].factor);
      const Node node = nodes_[i];
      const Scalar y = static_cast<Scalar>(i), g = gradient[i], a = node.a, b = node.b;
      switch (node.kind) {
        case Kind::constant:
        case Kind::leaf:
          break;
        case Kind::copy:
          flow(a, g);
          break;
        case Kind::add:
          flow(a, g), flow(b, g);
          break;
        case Kind::multiply:
          if (leads[at(a)]) flow(a, multiply(g, b));
          if (leads[at(b)]) flow(b, multiply(g, a));
          break;
        case Kind::tanh:
          flow(a, multiply(g, add(constant(1), scale(multiply(y, y), -1))));
          break;
        case Kind::exp:
          flow(a, multiply(g, y));
          break;
        case Kind::sin:
          flow(a, multiply(g, cos(a)));
          break;
        case Kind::cos:
          flow(a, multiply(g, scale(sin(a), -1)));
          break;
        case Kind::reciprocal:
          flow(a, multiply(g, scale(multiply(y, y), -1)));
          break;
        case Kind::reciprocal_root:
          flow(a, multiply(g, scale(multiply(y, multiply(y, y)), -0.5L)));
          break;
      }
    }
    std::vector<Scalar> result;
    for (Scalar x : wrt) result.push_back(gradient[at(x)]);
    return result;
  }

 private:
  enum class Kind {
    constant,
    leaf,
    copy,
    add,
    multiply,
    tanh,
    exp,
    sin,
    cos,
    reciprocal,
    reciprocal_root
  };
  struct Node {
    Kind kind;
    Scalar a, b;
    Real value;
    Real factor = 1;  ///< of its hooks
  };

  static size_t at(Scalar x) { return static_cast<size_t>(x); }
  Scalar push(const Node& node) {
    nodes_.push_back(node);
    return static_cast<Scalar>(nodes_.size()) - 1;
  }

  std::vector<Node> nodes_;
};

}  // namespace gradus::differential
