#include "core/kernels/blas.h"
#include "core/kernels/pool.h"
#include "core/tensor/error.h"
#include "core/trace/source_line.h"
#include "examples/training/subwords.h"

/// What the sources ask of a system that a browser's worker is not: OpenBLAS, threads, debug
/// information, and sentencepiece.
namespace gradus {

namespace blas {

void* function(const char*) { return nullptr; }

template <class T>
bool multiply(const Matrix<const T>&, const Matrix<const T>&, const Matrix<const T>&,
              const Matrix<T>&) {
  return false;
}
template bool multiply(const Matrix<const float>&, const Matrix<const float>&,
                       const Matrix<const float>&, const Matrix<float>&);
template bool multiply(const Matrix<const double>&, const Matrix<const double>&,
                       const Matrix<const double>&, const Matrix<double>&);

}  // namespace blas

namespace pool {

int size() { return 1; }
void resize(int) {}
void run_ranges(int64_t n, int64_t, const std::function<void(int64_t, int64_t)>& body) {
  body(0, n);
}

}  // namespace pool

std::vector<void*> call_stack() { return {}; }
std::vector<SourceLine> source_lines(const std::vector<void*>&) { return {}; }

namespace training {

Subwords Subwords::read(std::string, bool) {
  throw Error("this page reads models of words and characters, not of subwords");
}
std::vector<std::string> Subwords::pieces() const { return {}; }
std::vector<std::string> Subwords::split(std::string_view) const { return {}; }
std::vector<int64_t> Subwords::encode(std::string_view, double, Generator*) const { return {}; }

}  // namespace training

}  // namespace gradus
