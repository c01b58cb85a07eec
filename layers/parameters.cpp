#include "layers/parameters.h"

namespace gradus {

void copy_by_name(const std::map<std::string, Tensor>& tensors,
                  const std::map<std::string, Tensor>& model) {
  std::string faults;
  for (const auto& [name, mine] : model) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
      faults +=
          fmt::format("\n  missing: '{}', {} {}", name, name_of(mine.dtype()), mine.shape().text());
    } else if (const Tensor& given = found->second;
               given.shape() != mine.shape() || given.dtype() != mine.dtype()) {
      faults += fmt::format("\n  different: '{}' is {} {} in the model, was given {} {}", name,
                            name_of(mine.dtype()), mine.shape().text(), name_of(given.dtype()),
                            given.shape().text());
    }
  }
  for (const auto& [name, given] : tensors)
    if (!model.contains(name))
      faults += fmt::format("\n  unknown to the model: '{}', {} {}", name, name_of(given.dtype()),
                            given.shape().text());
  if (!faults.empty()) throw Error("load: the tensors do not fit the model:" + faults);
  for (const auto& [name, mine] : model) mine.assign(tensors.at(name));
}

}  // namespace gradus
