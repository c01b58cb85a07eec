#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "examples/training/train.h"

/// Options that say their bounds, and what every program does with its arguments and errors.
namespace gradus::training {

/// An option that is an integer in decimal digits, from `least` to `most`: what the help shows and
/// an error names.
template <class T>
CLI::Option* add_integer(CLI::App* command, const std::string& name, T& value, uint64_t least,
                         uint64_t most, const std::string& description);

/// From `least` to `most`; whether they themselves count.
struct Bounds {
  double least, most;
  bool least_counts, most_counts;
};
inline constexpr Bounds share{0, 1, true, false};  ///< [0, 1)
inline constexpr uint64_t most_of_all = 1'000'000'000;

/// An option that is a number within bounds.
CLI::Option* add_number(CLI::App* command, const std::string& name, double& value,
                        const Bounds& bounds, const std::string& description);

/// An option that is one of these names.
template <class T>
void add_name(CLI::App* command, const std::string& name, T& value,
              const std::map<std::string, T>& names, const std::string& description) {
  command->add_option(name, value, description)
      ->transform(CLI::CheckedTransformer(names).description(""))
      ->type_name("NAME")
      ->default_str(name_among(names, value));
}

/// --threads, which takes effect at once.
void add_threads(CLI::App* command);

/// --epochs, --seed, --threads, --batch, --rate, --decay, --warm-up, --weight-decay, --clip,
/// --patience, --save-every and --shards. The help calls what a batch holds `examples`, and the
/// figure that chooses the best model `figure`: "BLEU".
void add_training(CLI::App* command, TrainOptions& options, const std::string& examples,
                  const std::string& figure);

/// --model, --resume and --report; `model_path` is where the model goes by default.
void add_files(CLI::App* command, TrainOptions& options, std::string& report,
               const std::string& model_path);
/// --report alone.
void add_report(CLI::App* command, std::string& report);
/// --model, which has to be there.
void add_saved_model(CLI::App* command, std::string& model_path);

/// Reads the arguments into the app's options, then calls `run`; returns the program's exit status.
/// What is wrong with an argument and what `run` throws is said on standard error.
int run_program(const std::string& name, CLI::App& app, int argc, char** argv,
                const std::function<int()>& run);

// --- implementation ------------------------------------------------------------------------------

/// Accepts integers from `least` to `most` only.
CLI::Validator integer_within(uint64_t least, uint64_t most);

template <class T>
CLI::Option* add_integer(CLI::App* command, const std::string& name, T& value, uint64_t least,
                         uint64_t most, const std::string& description) {
  return command->add_option(name, value, description)
      ->transform(integer_within(least, most))
      ->type_name("INTEGER (" + std::to_string(least) + " to " + std::to_string(most) + ")")
      ->capture_default_str();
}

}  // namespace gradus::training
