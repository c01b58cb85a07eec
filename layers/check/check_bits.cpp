#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "core/files/safetensors.h"
#include "core/ops/pointwise.h"
#include "layers/check/check_parts.h"

namespace gradus::detail::check {

namespace {

/// The first element of which two lists of tensors have other bits, in words; empty if none.
std::string other_bits(const std::vector<Tensor>& a, const char* first,
                       const std::vector<Tensor>& b, const char* second) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].shape() != b[i].shape())
      return fmt::format("{} {} and {} {}", a[i].shape().text(), first, b[i].shape().text(),
                         second);
    const auto x = a[i].to_vector<double>(), y = b[i].to_vector<double>();
    for (size_t k = 0; k < x.size(); ++k)
      if (std::memcmp(&x[k], &y[k], sizeof(double)) != 0)
        return fmt::format("{} is {:.9g} {} and {:.9g} {}",
                           index_of(a[i].shape(), static_cast<int64_t>(k)).text(), x[k], first,
                           y[k], second);
  }
  return "";
}

}  // namespace

Finding save_and_load(const Subject& subject) {
  for (size_t i = 0; i < subject.names.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (subject.names[i] == subject.names[k])
        return failed("two tensors are named '{}': a file can hold one of them", subject.names[i]);
  // A layer that was called and trained, then another one that gets its file.
  Call trained = copy_of(subject.call);
  subject.run(trained, 1);
  for (size_t i = 0; i < trained.state.size(); ++i)
    if (trained.state[i].dtype() == DType::float32 && subject.call.state[i].requires_grad())
      for (float& x : trained.state[i].mutable_span<float>()) x = x * 0.75f + 0.01f;
  Call used = copy_of(subject.call);
  used.state = copies(trained.state);
  Call expected = copy_of(used);
  const std::vector<Tensor> second = subject.run(expected, 2);
  subject.run(used, 1);
  TensorFile file;
  for (size_t i = 0; i < used.state.size(); ++i)
    file.tensors[subject.names[i]] = used.state[i].detach();
  const std::string path =
      (std::filesystem::temp_directory_path() /
       fmt::format("gradus-check-{}-{}.safetensors", getpid(), static_cast<const void*>(&subject)))
          .string();
  save_tensors(path, file);
  file = load_tensors(path);
  std::filesystem::remove(path);
  Call loaded = copy_of(subject.call);
  std::map<std::string, Tensor> into;
  for (size_t i = 0; i < loaded.state.size(); ++i) into[subject.names[i]] = loaded.state[i];
  copy_by_name(file.tensors, into);
  const std::string text = other_bits(second, "in the layer that was saved", subject.run(loaded, 1),
                                      "in the one that was loaded");
  if (!text.empty())
    return failed("the output at {}. The layer keeps something that parameters() does not name",
                  text);
  return passed("a loaded copy goes on with the same bits");
}

Finding same_bits(const Subject& subject) {
  auto once = [&] {
    Call call = copy_of(subject.call);
    std::vector<Tensor> wrt;
    for (const Tensor& x : call.inputs)
      if (x.is_float()) wrt.push_back(x.require_grad());
    for (const Tensor& x : call.state)
      if (x.requires_grad()) wrt.push_back(x);
    std::vector<Tensor> all = subject.run(call, 1);
    const std::vector<Tensor> gradient = gradients(all, wrt);
    all.insert(all.end(), gradient.begin(), gradient.end());
    return all;
  };
  const std::vector<Tensor> first = once();
  const std::string text = other_bits(first, "the first time", once(), "the second time");
  if (!text.empty())
    return failed(
        "the output or a gradient at {}, with the same inputs. Take randomness from a Generator "
        "that is handed in",
        text);
  return passed("twice, in outputs and gradients");
}

}  // namespace gradus::detail::check
