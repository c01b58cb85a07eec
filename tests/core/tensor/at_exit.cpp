/// Ends while threads are at work, and computes once more after main has returned.
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "core/ops/matmul.h"
#include "core/ops/pointwise.h"
#include "core/ops/softmax.h"
#include "core/tensor/threads.h"

using namespace gradus;

namespace {

double compute() {
  const Tensor x = full({200, 100}, 0.5).require_grad();
  const Tensor y = matmul(softmax(exp(x) * tanh(x)), full({100, 150}, 2));
  y.backward(ones_like(y));
  return y.to_vector<double>()[0] + x.grad().to_vector<double>()[0];
}

struct AfterMain {
  ~AfterMain() {
    if (compute() < 1.9) std::_Exit(1);
    std::puts("computed after main");
    std::fflush(stdout);
  }
} after_main;

}  // namespace

int main() {
  set_threads(3);
  for (int i = 0; i < 2; ++i)
    std::thread([] {
      while (true) compute();
    }).detach();
  return compute() > 1.9 ? 0 : 1;
}
