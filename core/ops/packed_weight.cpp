#include "core/ops/packed_weight.h"

#include <mutex>

#include "core/autograd/node.h"
#include "core/kernels/products.h"

namespace gradus {

bool keeps_packed(const Tensor& matrix) {
  return matrix.requires_grad() && matrix.node()->is_leaf();
}

template <class T>
std::shared_ptr<const PackedMatrix<T>> packed(const Tensor& matrix, bool transposed, bool keep) {
  static std::mutex mutex;  // of looking and storing; threads may pack one matrix at a time each
  const bool keeps = keeps_packed(matrix);
  const uint32_t version = matrix.version();
  if (keeps) {
    const std::lock_guard lock(mutex);
    const PackedForm& kept = matrix.node()->packed[transposed];
    if (kept.matrix && kept.version == version)
      return std::static_pointer_cast<const PackedMatrix<T>>(kept.matrix);
  }
  const Matrix<const T> b{matrix.data<T>(), matrix.shape()[0], matrix.shape()[1],
                          matrix.strides()[0], matrix.strides()[1]};
  const auto result = std::make_shared<const PackedMatrix<T>>(transposed ? b.transposed() : b);
  if (keeps && keep) {
    const std::lock_guard lock(mutex);
    matrix.node()->packed[transposed] = {version, result};
    if (PackedForm& other = matrix.node()->packed[!transposed]; other.version != version)
      other = {};
  }
  return result;
}
template std::shared_ptr<const PackedMatrix<float>> packed(const Tensor&, bool, bool);
template std::shared_ptr<const PackedMatrix<double>> packed(const Tensor&, bool, bool);

}  // namespace gradus
