#include "layers/parameters.h"

#include "core/files/named_tensors.h"

namespace gradus {

void copy_by_name(const std::map<std::string, Tensor>& tensors,
                  const std::map<std::string, Tensor>& model) {
  const std::string faults = differences(model, tensors);
  if (!faults.empty()) throw Error("load: the tensors do not fit the model:" + faults);
  for (auto [name, mine] : model) mine.assign(tensors.at(name));
}

}  // namespace gradus
