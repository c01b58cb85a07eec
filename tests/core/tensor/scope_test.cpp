#include "core/tensor/scope.h"

#include <doctest/doctest.h>

#include <optional>
#include <thread>

#include "core/core.h"
#include "layers/parameters.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

struct Product {
  Tensor weight;

  Tensor operator()(const Tensor& x) const {
    const Scope scope(this);
    return matmul(x, weight);
  }
  void parameters(auto&& visit) { visit("weight", weight); }
};

struct Branches {
  std::vector<Product> branches;
  std::optional<Product> last;

  Tensor operator()(const Tensor& x) const {
    const Scope scope(this);
    Tensor y = x;
    for (const Product& branch : branches) y = branch(y);
    return last ? (*last)(y) : y;
  }
  void parameters(auto&& visit) {
    visit("branches", branches);
    visit("last", last);
  }
};

struct Model {
  Branches encoder;

  void parameters(auto&& visit) { visit("encoder", encoder); }
};

struct Doubled {
  Tensor operator()(const Tensor& x) const {
    const Scope scope(this);
    if (x.rank() != 1) throw Error("doubled: expected x of rank 1");
    return x * 2;
  }
};

Tensor weight(int64_t in, int64_t out) { return zeros({in, out}).require_grad(); }

}  // namespace

TEST_CASE("an error in a layer without a name ends with the types of the running layers") {
  const Product product{weight(3, 2)};
  CHECK(error_of([&] {
          product(ones({1, 4}));
        }) == "matmul: inner sizes differ: (1, 4) · (3, 2), in Product");
  const Branches branches{{product}, {}};
  CHECK(error_of([&] {
          branches(ones({1, 4}));
        }) == "matmul: inner sizes differ: (1, 4) · (3, 2), in Product, in Branches");
}

TEST_CASE("an error in a layer ends with the layer's name once parameters() has given names") {
  Model model{{{{weight(3, 2)}, {weight(2, 5)}}, Product{weight(4, 1)}}};
  parameters(model);
  CHECK(error_of([&] {
          model.encoder(ones({1, 4}));
        }) ==
        "matmul: inner sizes differ: (1, 4) · (3, 2) 'encoder.branches.0.weight', in "
        "encoder.branches.0");
  CHECK(error_of([&] {
          model.encoder(ones({1, 3}));
        }) == "matmul: inner sizes differ: (1, 5) · (4, 1) 'encoder.last.weight', in encoder.last");
  {
    const Scope scope(&model.encoder);
    CHECK(running_layers() == "encoder");
    CHECK(error_of([&] {
            Doubled{}(ones({1, 1}));
          }) == "doubled: expected x of rank 1, in Doubled, in encoder");
  }
}

TEST_CASE("a name of which the layer's own path is not the end is not taken for the layer's") {
  Model model{{{{weight(3, 2)}}, {}}};
  model.encoder.branches[0].weight.set_name("table");
  const Scope scope(&model.encoder.branches[0]);
  CHECK(running_layers() == "Product");
}

TEST_CASE("outside of layers an error ends as it was written, also within parts and time steps") {
  CHECK(running_layers().empty());
  const Scope part("score"), step(3);
  CHECK(std::string(Error("op: rule").what()) == "op: rule");
}

TEST_CASE("an error that gets a place has its layers once, inside and outside of the layer") {
  const Doubled layer;
  CHECK(error_of([&] {
          errors_at("file", [&] { layer(ones({1, 1})); });
        }) == "file: doubled: expected x of rank 1, in Doubled");
  const Scope scope(&layer);
  CHECK(error_of([&] { errors_at("file", [] { throw Error("op: rule"); }); }) ==
        "file: op: rule, in Doubled");
}

TEST_CASE("each thread has its own layers") {
  const Doubled layer;
  const Scope scope(&layer);
  std::string there = "none";
  std::thread([&] { there = running_layers(); }).join();
  CHECK(there.empty());
  CHECK(running_layers() == "Doubled");
}
