#include "core/ops/packed_weight.h"

#include <vector>

#include "core/autograd/node.h"
#include "core/kernels/packed_matrix.h"

namespace gradus {

namespace {

struct Kept {
  Tensor matrix;  // owns the memory that it is known by
  bool transposed;
  std::shared_ptr<const void> panels;
};
thread_local std::vector<Kept> all_kept;
thread_local int promises = 0;

}  // namespace

ConstantParameters::ConstantParameters() { ++promises; }
ConstantParameters::~ConstantParameters() {
  if (--promises == 0) all_kept.clear();
}

bool keeps_packed(const Tensor& matrix) {
  return promises > 0 && matrix.requires_grad() && matrix.node()->inputs.empty();
}

template <class T>
std::shared_ptr<const PackedMatrix<T>> packed(const Tensor& matrix, bool transposed) {
  auto lay_out = [&] {
    const int64_t rows = matrix.shape()[0], columns = matrix.shape()[1];
    const Matrix<const T> b{matrix.data<T>(), transposed ? columns : rows,
                            transposed ? rows : columns, columns, transposed};
    return std::make_shared<const PackedMatrix<T>>(b);
  };
  if (!keeps_packed(matrix)) return lay_out();
  for (const Kept& kept : all_kept)
    if (kept.matrix.data<T>() == matrix.data<T>() && kept.matrix.shape() == matrix.shape() &&
        kept.transposed == transposed)
      return std::static_pointer_cast<const PackedMatrix<T>>(kept.panels);
  auto panels = lay_out();
  all_kept.push_back({matrix.detach(), transposed, panels});
  return panels;
}
template std::shared_ptr<const PackedMatrix<float>> packed(const Tensor&, bool);
template std::shared_ptr<const PackedMatrix<double>> packed(const Tensor&, bool);

}  // namespace gradus
