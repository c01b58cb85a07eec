#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>

#include <cmath>
#include <fstream>
#include <string>

#include "core/core.h"
#include "core/tensor/threads.h"
#include "layers/layers.h"
#include "optim/optimizer.h"

/// Single operations, by the names and units of the figures that they are compared with: a
/// benchmark's label is its unit, and "us_per_op" is one `chain_length`-th of its time.
namespace gradus::bench {

namespace {

using benchmark::DoNotOptimize;
using benchmark::State;

constexpr int chain_length = 1000;

Generator generator(1);

Tensor normal(const Shape& shape) { return random_normal(shape, 0, 1, generator); }
Tensor parameter(const Shape& shape) { return normal(shape).require_grad(); }

benchmark::internal::Benchmark* add(const std::string& name, const char* unit, const auto& body) {
  return benchmark::RegisterBenchmark(name.c_str(),
                                      [=](State& state) {
                                        body(state);
                                        state.SetLabel(unit);
                                      })
      ->UseRealTime();
}

Tensor chain(Tensor x, const Tensor& y) {
  for (int i = 0; i < chain_length; ++i) x = x + y;
  return x;
}

void add_overhead() {
  const Tensor x = parameter({8}), y = normal({8}), z = parameter({8});
  add("add8_forward_no_grad", "us_per_op", [=](State& state) {
    const NoGrad pause;
    for (auto _ : state) DoNotOptimize(chain(x, y));
  });
  add("add8_forward_recording", "us_per_op", [=](State& state) {
    for (auto _ : state) DoNotOptimize(chain(x, y));
  });
  auto both = [=](const Tensor& other) {
    return [=](State& state) {
      for (auto _ : state) {
        x.clear_grad();
        z.clear_grad();
        sum(chain(x, other)).backward();
      }
    };
  };
  add("add8_forward_backward", "us_per_op", both(y));
  add("add8_forward_backward_two_grads", "us_per_op", both(z));
}

/// What to compute, and the leaves whose gradients are made anew each time.
struct Computation {
  std::vector<Tensor> leaves;
  std::function<Tensor()> forward;
};

void add_forward(const std::string& name, const std::function<Computation()>& make) {
  add(name, "ms", [=](State& state) {
    const Computation computation = make();
    const NoGrad pause;
    for (auto _ : state) DoNotOptimize(computation.forward());
  });
}

/// Resident memory of this process in KiB, "VmRSS" now or "VmHWM" at most.
double resident_kib(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;)
    if (word == key + ":") {
      double kib = 0;
      file >> kib;
      return kib;
    }
  return 0;
}

benchmark::internal::Benchmark* add_forward_backward(const std::string& name,
                                                     const std::function<Computation()>& make) {
  return add(name, "ms", [=](State& state) {
    const Computation computation = make();
    auto clear = [&] {
      for (const Tensor& leaf : computation.leaves) leaf.clear_grad();
    };
    const Tensor gradient = normal(computation.forward().shape());
    auto both = [&] {
      clear();
      computation.forward().backward(gradient);
    };
    both();
    clear();
    malloc_trim(0);                               // what is kept for later is not in use
    std::ofstream("/proc/self/clear_refs") << 5;  // Linux: forget the peak so far
    const double before = resident_kib("VmRSS");
    both();
    state.counters["peak_extra_mib"] = (resident_kib("VmHWM") - before) / 1024;
    for (auto _ : state) both();
  });
}

Computation lstm() {
  const LSTM layer(256, 256, generator);
  const Tensor x = parameter({64, 50, 256});
  const LSTMCell& cell = layer.forward[0];
  return {{x, cell.weight_ih, cell.weight_hh, cell.bias}, [=] { return layer(x).output; }};
}

Computation softmax_rows() {
  const Tensor x = parameter({1024, 4000});
  return {{x}, [=] { return softmax(x); }};
}

Computation cross_entropy_rows() {
  const Tensor x = parameter({1024, 4000});
  std::vector<int64_t> classes(1024);
  for (int64_t& c : classes) c = generator.below(4000);
  return {{x}, [=, t = tensor(classes, {1024})] { return cross_entropy(x, t); }};
}

/// Batch 4, 8 heads, 1024 queries and keys of 64.
Computation attention_by_hand() {
  const Shape shape{4, 8, 1024, 64};
  const Tensor q = parameter(shape), k = parameter(shape), v = parameter(shape);
  return {{q, k, v}, [=] { return matmul(softmax(matmul(q, transpose(k)) / std::sqrt(64)), v); }};
}

/// The same in tiles.
Computation attention_in_tiles() {
  const Shape shape{4, 8, 1024, 64};
  const Tensor q = parameter(shape), k = parameter(shape), v = parameter(shape);
  return {{q, k, v}, [=] { return TiledAttention{}(q, k, v).output; }};
}

/// One sentence of `length`, 8 heads of 64.
Computation long_attention(const AttendFunction& attend, int64_t length) {
  const Shape shape{1, 8, length, 64};
  const Tensor q = parameter(shape), k = parameter(shape), v = parameter(shape);
  return {{q, k, v}, [=] { return attend(q, k, v, {}, nullptr).output; }};
}

void add_long_attention() {
  constexpr int64_t block = 128;
  auto add_length = [](const std::string& name, const AttendFunction& attend, int64_t length) {
    return add_forward_backward(fmt::format("attention_long_{}_{}_forward_backward", name, length),
                                [=] { return long_attention(attend, length); });
  };
  add_length("tiled", TiledAttention{}, 8192);
  add_length("by_hand", ScaledDotAttention{}, 8192)->Iterations(1)->Repetitions(2);  // 12 GB
  for (int64_t length = 1024; length <= 16384; length *= 2) {
    add_length("window", SlidingWindow{block, block}, length);
    add_length("chain", BlockAttention{block}, length);
  }
}

Computation layer_norm_rows() {
  const LayerNorm layer(256);
  const Tensor x = parameter({4096, 256});
  return {{x, layer.weight, layer.bias}, [=] { return layer(x); }};
}

void add_elementwise(const std::string& name, const auto& function, int64_t size = 1'000'000) {
  add(name, "us", [=](State& state) {
    const Tensor x = normal({size});
    for (auto _ : state) DoNotOptimize(function(x));
  });
}

void add_adam() {
  add("adam_2.5m", "ms", [](State& state) {
    std::vector<Tensor> parameters;
    for (int i = 0; i < 10; ++i) {
      parameters.push_back(parameter({500, 500}));
      parameters.back().set_grad(normal({500, 500}));
    }
    Adam adam(parameters);
    for (auto _ : state) adam.step();
  });
}

}  // namespace

}  // namespace gradus::bench

int main(int argc, char** argv) {
  using namespace gradus;
  using namespace gradus::bench;
  benchmark::Initialize(&argc, argv);
  if (argc == 3 && argv[1] == std::string("--threads")) {
    set_threads(std::stoi(argv[2]));
  } else if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  add_overhead();
  add_forward("lstm256_b64_t50_forward_no_grad", lstm);
  add_forward_backward("lstm256_b64_t50_forward_backward", lstm);
  add_forward("softmax_1024x4000_forward", softmax_rows);
  add_forward_backward("softmax_1024x4000_forward_backward", softmax_rows);
  add_forward_backward("cross_entropy_1024x4000_forward_backward", cross_entropy_rows);
  add_forward("attention_by_hand_forward", attention_by_hand);
  add_forward_backward("attention_by_hand_forward_backward", attention_by_hand);
  add_forward("attention_sdpa_forward", attention_in_tiles);
  add_forward_backward("attention_sdpa_forward_backward", attention_in_tiles);
  add_long_attention();
  add_forward("layernorm_4096x256_forward", layer_norm_rows);
  add_forward_backward("layernorm_4096x256_forward_backward", layer_norm_rows);
  add_elementwise("tanh_1m_new_tensor", [](const Tensor& x) { return tanh(x); });
  add_elementwise("sigmoid_1m_new_tensor", [](const Tensor& x) { return sigmoid(x); });
  add_elementwise("exp_1m_new_tensor", [](const Tensor& x) { return exp(x); });
  const auto copy = [](const Tensor& x) {
    Tensor copy = Tensor::uninitialised(x.shape(), x.dtype());
    copy.assign(x);
    return copy;
  };
  add_elementwise("copy_1m_new_tensor", copy);
  add_elementwise("copy_4m_new_tensor", copy, 4'096'000);
  add_adam();
  benchmark::RunSpecifiedBenchmarks();
}
