#include "tests/core/ops/ops_table.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "core/autograd/fused.h"
#include "core/core.h"
#include "core/functions/gradient_check.h"
#include "core/tensor/error.h"
#include "core/tensor/random.h"

using namespace gradus;
using namespace gradus::testing::table;

namespace {

std::vector<Tensor> drawn(const std::vector<Input>& inputs, const Shape& behind = {}) {
  Generator generator(3);
  std::vector<Tensor> result;
  for (const Input& input : inputs) {
    Shape shape = input.shape;
    for (int64_t size : behind) shape.append(size);
    result.push_back(random_uniform(shape, input.low, input.high, generator, DType::float64));
  }
  return result;
}

/// The same function of every second element: each input becomes a view with gaps.
TensorFunction on_strided_views(const TensorFunction& f) {
  return [=](Tensors x) {
    std::vector<Tensor> views;
    for (const Tensor& each : x) views.push_back(each[{ellipsis, 1}]);
    return f(views);
  };
}

void check_gradients(const Row& row) {
  const Mismatch once = first_order_mismatch(row.function, drawn(row.inputs));
  INFO("first order, ", once.text());
  CHECK(once.tolerances <= 1);
  const Mismatch twice = second_order_mismatch(row.function, drawn(row.inputs));
  INFO("second order, ", twice.text());
  CHECK(twice.tolerances <= 1);
}

void check_strided_views(const Row& row) {
  const std::vector<Tensor> wide = drawn(row.inputs, {2});
  std::vector<Tensor> narrow;
  for (const Tensor& x : wide) narrow.push_back(contiguous(x[{ellipsis, 1}]));
  CHECK(on_strided_views(row.function)(wide).to_vector<double>() ==
        row.function(narrow).to_vector<double>());
  const Mismatch once = first_order_mismatch(on_strided_views(row.function), wide);
  INFO(once.text());
  CHECK(once.tolerances <= 1);
}

}  // namespace

TEST_CASE("every op's gradient agrees with finite differences to second order") {
  for (const Row& row : rows) {
    INFO(row.op);
    CHECK_NOTHROW(check_gradients(row));
  }
}

TEST_CASE("every op's value and gradient are the same for strided views") {
  for (const Row& row : rows) {
    INFO(row.op);
    CHECK_NOTHROW(check_strided_views(row));
  }
}

TEST_CASE("every op's value and gradient are those of its composition") {
  for (const Row& row : rows) {
    INFO(row.op);
    auto value_and_gradients = [&](bool composed) {
      const NoFusion guard(composed);
      std::vector<Tensor> x = drawn(row.inputs);
      for (Tensor& each : x) each.require_grad();
      const Tensor y = row.function(x);
      std::vector<Tensor> result =
          grad({sum(y * cos(reshape(arange(y.numel(), DType::float64), y.shape())))}, x,
               {.zero_if_unreached = true});
      result.push_back(y);
      return result;
    };
    const std::vector<Tensor> one_pass = value_and_gradients(false);
    const std::vector<Tensor> composed = value_and_gradients(true);
    for (size_t i = 0; i < one_pass.size(); ++i)
      CHECK(max(abs(one_pass[i] - composed[i])).item() < 1e-12);
  }
}

TEST_CASE("every op without a derivative says so when a gradient arrives") {
  const std::vector<std::pair<const char*, std::function<Tensor(const Tensor&)>>> steps{
      {"argmax", [](const Tensor& x) { return cast(argmax(x, 0), DType::float64); }},
      {"argmin", [](const Tensor& x) { return cast(argmin(x, 0), DType::float64); }},
      {"argsort", [](const Tensor& x) { return cast(argsort(x), DType::float64); }},
      {"cast to int64",
       [](const Tensor& x) { return cast(cast(x, DType::int64), DType::float64); }},
      {"a step of the user's own",
       [](const Tensor& x) {
         return record("a step of the user's own", x.detach(), {x}, nullptr);
       }},
  };
  for (const auto& step : steps) {
    const auto& op = step.first;
    INFO(op);
    const Tensor x = tensor({-1.5, 0.5, 2.0}, DType::float64).require_grad();
    const std::string expected = fmt::format("backward: '{}' has no derivative", op);
    const Tensor loss = sum(step.second(x) * 2.0);
    try {
      loss.backward();
      FAIL_CHECK("no error");
    } catch (const Error& error) {
      CHECK(std::string(error.what()).starts_with(expected));
    }
  }
}

TEST_CASE("comparisons and rounding have the derivative 0") {
  for (const auto& f : std::vector<std::function<Tensor(const Tensor&)>>{
           [](const Tensor& x) { return greater(x, 0); },
           [](const Tensor& x) { return less_equal(x, x * 2); },
           [](const Tensor& x) { return equal(0, x); }, [](const Tensor& x) { return floor(x); },
           [](const Tensor& x) { return floor_divide(x, 2); },
           [](const Tensor& x) { return sign(x); }}) {
    const Tensor x = tensor({-1.5, 0, NAN, INFINITY}).require_grad();
    sum(f(x)).backward();
    CHECK(x.grad().to_vector<double>() == std::vector<double>{0, 0, 0, 0});
  }
}

TEST_CASE("the checker catches wrong gradient rules") {
  const std::vector<Tensor> x = drawn({{{3, 3}}});

  SUBCASE("a wrong factor") {
    const TensorFunction wrong = [](Tensors x) {
      return record("square", (x[0] * x[0]).detach(), {x[0]}, [](const Backward& b) {
        return std::vector<Gradient>{b.gradient * b.input(0) * 2.0001};
      });
    };
    CHECK(first_order_mismatch(wrong, x).tolerances > 10);
  }
  SUBCASE("a gradient in the wrong places, which a plain sum would not notice") {
    const TensorFunction wrong = [](Tensors x) {
      return record("transpose", transpose(x[0]).detach(), {x[0]},
                    [](const Backward& b) { return std::vector<Gradient>{b.gradient}; });
    };
    CHECK(first_order_mismatch(wrong, x).tolerances > 10);
  }
  SUBCASE("a right gradient that is cut off from its own gradient") {
    const TensorFunction wrong = [](Tensors x) {
      return record("square", (x[0] * x[0]).detach(), {x[0]}, [](const Backward& b) {
        return std::vector<Gradient>{b.gradient * b.input(0).detach() * 2};
      });
    };
    CHECK(first_order_mismatch(wrong, x).tolerances <= 1);
    CHECK(second_order_mismatch(wrong, x).tolerances > 10);
  }
  SUBCASE("a gradient that is not a number") {
    const TensorFunction wrong = [](Tensors x) {
      return record("same", x[0].detach(), {x[0]},
                    [](const Backward& b) { return std::vector<Gradient>{b.gradient / 0 * 0}; });
    };
    CHECK_FALSE(first_order_mismatch(wrong, x).tolerances <= 1);
  }
}
