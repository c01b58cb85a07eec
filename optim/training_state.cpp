#include "optim/training_state.h"

#include <fmt/format.h>

#include <bit>

#include "core/files/named_tensors.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

using Tensors = StatePart::Tensors;

template <class T>
Tensor number_tensor(T number) {
  return tensor(std::vector<T>{number}, {});
}

std::string name_in_file(const std::string& part, const std::string& tensor) {
  return tensor.empty() ? part : part + "." + tensor;
}

/// The tensors of all parts as the file names them.
Tensors all_tensors(const TrainingState& state) {
  Tensors all;
  for (const auto& [part, of] : state)
    for (const auto& [name, tensor] : of.get())
      if (!all.emplace(name_in_file(part, name), tensor).second)
        throw Error(fmt::format("training state: two parts hold a tensor '{}': rename one of them",
                                name_in_file(part, name)));
  return all;
}

}  // namespace

StatePart::StatePart(Tensors tensors)
    : get([tensors] { return tensors; }), set([tensors](const Tensors& given) mutable {
        for (auto& [name, tensor] : tensors) tensor.assign(given.at(name));
      }) {}

StatePart::StatePart(Optimizer* optimizer)
    : get([optimizer] { return optimizer->named_state(); }),
      set([optimizer](const Tensors& given) { optimizer->set_state(given); }) {}

StatePart::StatePart(ExponentialMovingAverage* average)
    : get([average] {
        average->check_not_swapped("training state");
        return average->named_state();
      }),
      set([average](const Tensors& given) { average->set_state(given); }) {}

StatePart::StatePart(ReduceOnPlateau* plateau)
    : get([plateau] {
        const auto& [rate, best, unimproved] = plateau->state;
        return Tensors{{"learning_rate", number_tensor(rate)},
                       {"best", number_tensor(best)},
                       {"unimproved", number_tensor(unimproved)}};
      }),
      set([plateau](const Tensors& given) {
        plateau->state = {given.at("learning_rate").item(), given.at("best").item(),
                          given.at("unimproved").to_vector<int64_t>()[0]};
      }) {}

StatePart::StatePart(Generator* generator)
    : get([generator] {
        return Tensors{{"", number_tensor(std::bit_cast<int64_t>(generator->state()))}};
      }),
      set([generator](const Tensors& given) {
        generator->set_state(std::bit_cast<uint64_t>(given.at("").to_vector<int64_t>()[0]));
      }) {}

StatePart::StatePart(int64_t* number)
    : get([number] {
        return Tensors{{"", number_tensor(*number)}};
      }),
      set([number](const Tensors& given) { *number = given.at("").to_vector<int64_t>()[0]; }) {}

StatePart::StatePart(double* number)
    : get([number] {
        return Tensors{{"", number_tensor(*number)}};
      }),
      set([number](const Tensors& given) { *number = given.at("").item(); }) {}

void save_training_state(const std::string& path, const TrainingState& state,
                         const std::map<std::string, std::string>& metadata) {
  save_tensors(path, {all_tensors(state), metadata});
}

std::map<std::string, std::string> load_training_state(
    const std::string& path, const TrainingState& state,
    const std::function<void(const TensorFile&)>& check) {
  TensorFile file = load_tensors(path);
  errors_at(path, [&] {
    if (check) check(file);
    if (const std::string wrong = differences(all_tensors(state), file.tensors); !wrong.empty())
      throw Error("the file does not fit the training state:" + wrong);
    for (const auto& [part, of] : state) {
      Tensors given = of.get();
      for (auto& [name, tensor] : given) tensor = file.tensors.at(name_in_file(part, name));
      of.set(given);
    }
  });
  return file.metadata;
}

}  // namespace gradus
