#include "examples/training/model_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>

#include "core/files/json_check.h"

namespace gradus::training {

namespace {

using nlohmann::json;

constexpr std::string_view before_kind = "gradus ", after_kind = " 1";

std::string field(const Description& description, const std::string& name) {
  const auto found = description.find(name);
  return found == description.end() ? std::string() : found->second;
}

[[noreturn]] void refuse(const std::string& name, const std::string& expected, const json& got) {
  throw Error(fmt::format("its options give {} {}; expected {}", name, got.dump(), expected));
}

class Hash {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes)
      value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  uint64_t value = 0xcbf29ce484222325;
};

}  // namespace

Description description(const std::string& kind, const json& options, const Description& more) {
  Description all = more;
  all["format"] = std::string(before_kind) + kind + std::string(after_kind);
  all["options"] = options.dump();
  return all;
}

std::string kind_of(const Description& description) {
  const std::string format = field(description, "format");
  if (format.size() <= before_kind.size() + after_kind.size() || !format.starts_with(before_kind) ||
      !format.ends_with(after_kind))
    return "";
  return format.substr(before_kind.size(), format.size() - before_kind.size() - after_kind.size());
}

TensorFile open_model(const std::string& path, const std::string& kind) {
  TensorFile file = load_tensors(path);
  const std::string theirs = kind_of(file.metadata);
  if (theirs != kind)
    throw Error(fmt::format(
        "{}: not a model of this {}{} (its metadata does not say \"format\": \"{}\")", path, kind,
        theirs.empty() ? "" : fmt::format(", but of a {} of Gradus", theirs),
        description(kind, {}).at("format")));
  return file;
}

bool is_model(const std::string& path, const std::string& kind) {
  try {
    return kind_of(load_metadata(path)) == kind;
  } catch (const Error&) {
    return false;
  }
}

Vocabulary vocabulary_in(const Description& description, const std::string& name) {
  try {
    return Vocabulary::from_json(field(description, name));
  } catch (const std::invalid_argument& error) {
    throw Error(fmt::format("its metadata's \"{}\": {}", name, error.what()));
  }
}

StoredOptions::StoredOptions(const Description& description, const json& absent) {
  const std::string text = field(description, "options");
  check_json("its metadata's \"options\"", text, 1);
  options_ = json::parse(text);
  if (!options_.is_object()) throw Error("its metadata's \"options\" are not a JSON object");
  for (const auto& [name, value] : absent.items())
    if (!options_.contains(name)) options_[name] = value;
}

const json& StoredOptions::member(const std::string& name) const {
  const auto found = options_.find(name);
  if (found == options_.end()) throw Error(fmt::format("its options do not give \"{}\"", name));
  return *found;
}

int64_t StoredOptions::integer(const std::string& name, int64_t most, int64_t least) const {
  const json& value = member(name);
  // A size above INT64_MAX is refused as the negative number that it is read as.
  if (!value.is_number_integer() || value.get<int64_t>() < least || value.get<int64_t>() > most)
    refuse(name, fmt::format("an integer from {} to {}", least, most), value);
  return value.get<int64_t>();
}

double StoredOptions::share(const std::string& name) const {
  const json& value = member(name);
  if (!value.is_number() || !(value.get<double>() >= 0 && value.get<double>() < 1))
    refuse(name, "a number in [0, 1)", value);
  return value.get<double>();
}

bool StoredOptions::boolean(const std::string& name) const {
  const json& value = member(name);
  if (!value.is_boolean()) refuse(name, "true or false", value);
  return value.get<bool>();
}

std::string StoredOptions::text(const std::string& name) const {
  const json& value = member(name);
  if (!value.is_string()) refuse(name, "a name", value);
  return value.get<std::string>();
}

uint64_t checksum(std::string_view text) {
  Hash hash;
  hash.add(text);
  return hash.value;
}

uint64_t checksum(const Description& description, const std::map<std::string, Tensor>& tensors) {
  Hash hash;
  for (const auto& [name, text] : description) hash.add(name + '\0' + text + '\0');
  for (const auto& entry : tensors) {
    const Tensor& tensor = entry.second;
    hash.add(entry.first + '\0');
    dispatch(tensor.dtype(), [&](auto of_type) {
      const auto bytes = std::as_bytes(tensor.span<decltype(of_type)>());
      hash.add({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    });
  }
  return hash.value;
}

uint64_t checksum_of_file(const std::string& path) {
  if (!std::filesystem::exists(path)) return 0;
  try {
    const TensorFile file = load_tensors(path);
    return checksum(file.metadata, file.tensors);
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace gradus::training
