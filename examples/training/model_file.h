#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/files/safetensors.h"
#include "core/tensor/error.h"
#include "examples/training/vocabulary.h"

/// What a model file says of itself, so that one file is enough to use a model, and no program
/// takes the file of another. The tensors are written and read by layers/model_file.h.
namespace gradus::training {

/// The metadata of a model file: "format", "options" (a JSON object), vocabularies and what else
/// the program reads from it.
using Description = std::map<std::string, std::string>;

/// "format" is "gradus KIND 1"; `kind` is what errors call the model: "translator".
Description description(const std::string& kind, const nlohmann::json& options,
                        const Description& more = {});

/// The kind in a description; "" where there is none.
std::string kind_of(const Description& description);

/// Reads a model file of this kind. Throws Error with the path when it cannot be read, or is of
/// another kind, which it names.
TensorFile open_model(const std::string& path, const std::string& kind);

/// What make(file) makes of a model file of this kind; its Errors then begin with the path.
auto read_model(const std::string& path, const std::string& kind, auto&& make) {
  const TensorFile file = open_model(path, kind);
  return errors_at(path, [&] { return make(file); });
}

/// Whether the metadata of the file say that it holds a model or a checkpoint of this kind.
bool is_model(const std::string& path, const std::string& kind);

/// The vocabulary that the description holds under `name`. Throws Error when it is damaged.
Vocabulary vocabulary_in(const Description& description, const std::string& name);

/// The name of `value`, which is among `names`.
template <class T>
const std::string& name_among(const std::map<std::string, T>& names, T value) {
  return std::ranges::find(names, value, &std::pair<const std::string, T>::second)->first;
}

/// The options in a description, each checked. Errors name the option, what was found and what was
/// expected: a damaged file must not ask for a model that fills the memory.
class StoredOptions {
 public:
  /// `absent` gives the values of options that files of earlier versions do not hold.
  explicit StoredOptions(const Description& description,
                         const nlohmann::json& absent = nlohmann::json::object());

  int64_t integer(const std::string& name, int64_t most, int64_t least = 1) const;
  /// A number in [0, 1).
  double share(const std::string& name) const;
  bool boolean(const std::string& name) const;
  /// The value of a name.
  template <class T>
  T named(const std::string& name, const std::map<std::string, T>& values) const {
    const std::string given = text(name);
    if (const auto found = values.find(given); found != values.end()) return found->second;
    throw Error("unknown " + name + " '" + given + "'");
  }
  std::string text(const std::string& name) const;

 private:
  const nlohmann::json& member(const std::string& name) const;

  nlohmann::json options_;
};

/// A number for a text, another one for others (FNV-1a, Fowler, Noll, Vo 1991).
uint64_t checksum(std::string_view text);
/// The same of a model file: of its description and the names and values of its tensors.
uint64_t checksum(const Description& description, const std::map<std::string, Tensor>& tensors);
/// The same of the model file at `path`; 0 where there is none, or none that can be read.
uint64_t checksum_of_file(const std::string& path);

}  // namespace gradus::training
