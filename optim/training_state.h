#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "core/files/safetensors.h"
#include "core/tensor/random.h"
#include "core/tensor/tensor.h"
#include "optim/moving_average.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

/// The whole state of a training run in one file:
///
///     const TrainingState state{{"model", named_tensors(model)},
///                               {"adam", &adam},
///                               {"dropout", &generator},
///                               {"step", &step}};
///     save_training_state("run.safetensors", state);
///     …
///     load_training_state("run.safetensors", state);  // continues to the same bits
///
/// In the file every tensor is called after its part: "model.encoder.weight",
/// "adam.encoder.weight.first_moment"; a part that is one number after the part alone: "step".
namespace gradus {

/// What changes while a model trains, as tensors that are read for saving and written by loading.
/// What a pointer refers to must outlive the part.
struct StatePart {
  // NOLINTBEGIN: a TrainingState is a list of names and parts
  /// A model's named_tensors().
  StatePart(std::map<std::string, Tensor> tensors);
  StatePart(Optimizer* optimizer);
  StatePart(ExponentialMovingAverage* average);
  StatePart(ReduceOnPlateau* plateau);
  StatePart(Generator* generator);
  StatePart(int64_t* number);
  StatePart(double* number);
  // NOLINTEND

  using Tensors = std::map<std::string, Tensor>;
  /// The tensors as they are now; a part of one number calls it "".
  std::function<Tensors()> get;
  /// Takes over tensors of the same names, shapes and dtypes.
  std::function<void(const Tensors&)> set;
};

using TrainingState = std::map<std::string, StatePart>;

/// Writes all parts, and free text beside them, to one safetensors file: all or nothing, see
/// write_file(). Throws Error when two parts give a tensor of the same name, and when writing
/// fails.
void save_training_state(const std::string& path, const TrainingState& state,
                         const std::map<std::string, std::string>& metadata = {});

/// Reads a file of save_training_state() into the parts; returns the text. `check` is called with
/// the file's contents first, the text as `metadata`: an exception that it throws refuses the file,
/// for a number that lies outside of its range, for instance.
/// Throws Error with the path when the file cannot be read or does not hold exactly the tensors of
/// all parts: it lists all that are missing, unknown, or of another shape or dtype. Nothing has
/// changed then.
std::map<std::string, std::string> load_training_state(
    const std::string& path, const TrainingState& state,
    const std::function<void(const TensorFile&)>& check = {});

}  // namespace gradus
