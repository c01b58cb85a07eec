#pragma once

#include "core/files/safetensors.h"
#include "layers/parameters.h"

namespace gradus {

/// Writes named_tensors(model) and free text beside them as a safetensors file, all or nothing.
template <class L>
void save_model(const std::string& path, L& model,
                const std::map<std::string, std::string>& metadata = {}) {
  save_tensors(path, {named_tensors(model), metadata});
}

/// Reads what save_model() wrote into a model of the same make; returns the text.
/// Throws Error, and leaves the model as it was, when the file does not hold exactly its tensors.
template <class L>
std::map<std::string, std::string> load_model(const std::string& path, L& model) {
  TensorFile file = load_tensors(path);
  errors_at(path, [&] { load_tensors_into(model, file.tensors); });
  return file.metadata;
}

}  // namespace gradus
