#include "examples/training/command_line.h"

#include <fmt/format.h>

#include <charconv>
#include <new>
#include <optional>
#include <sstream>

#include "core/tensor/threads.h"
#include "examples/terminal/output.h"
#include "examples/training/launch.h"

namespace gradus::training {

namespace {

/// Whether all of the text is a number of this type.
template <class T>
bool read(const std::string& text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

CLI::Validator integer_within(uint64_t least, uint64_t most) {
  return {[=](std::string& text) {
            uint64_t number = 0;
            if (!read(text, number) || number < least || number > most)
              return fmt::format("expected an integer from {} to {}, got {}", least, most, text);
            text = std::to_string(number);  // to the parser, 010 would be 8
            return std::string();
          },
          ""};
}

CLI::Option* add_number(CLI::App* command, const std::string& name, double& value,
                        const Bounds& bounds, const std::string& description) {
  const std::string range = fmt::format("{}{}, {}{}", bounds.least_counts ? '[' : '(', bounds.least,
                                        bounds.most, bounds.most_counts ? ']' : ')');
  const CLI::Validator within(
      [=](std::string& text) {
        double x = 0;
        const bool fits = read(text, x) &&
                          (bounds.least_counts ? x >= bounds.least : x > bounds.least) &&
                          (bounds.most_counts ? x <= bounds.most : x < bounds.most);
        return fits ? std::string() : fmt::format("expected a number in {}, got {}", range, text);
      },
      "");
  return command->add_option(name, value, description)
      ->check(within)
      ->type_name("NUMBER in " + range)
      ->capture_default_str();
}

void add_threads(CLI::App* command) {
  constexpr int most = 4096;
  command
      ->add_option_function<int>(
          "--threads", [](int count) { count > 0 ? set_threads(count) : void(); },
          "number of threads; 0: one for each processor core")
      ->transform(integer_within(0, most))
      ->type_name(fmt::format("INTEGER (0 to {})", most))
      ->default_str("0");
}

void add_training(CLI::App* command, TrainOptions& options, const std::string& examples,
                  const std::string& figure) {
  add_integer(command, "--epochs", options.epochs, 1, 1'000'000, "passes over the training data");
  add_integer(command, "--seed", options.seed, 0, UINT64_MAX,
              "seed of the weights, the order of batches and dropout");
  add_threads(command);
  add_integer(command, "--batch", options.batch_size, 1, 1'000'000,
              examples + " per training step");
  add_number(command, "--rate", options.learning_rate, {0, 1000, false, true},
             "learning rate of Adam");
  command->add_flag("--decay,!--no-decay", options.decay,
                    std::string("decrease the learning rate to 0 along a cosine") +
                        (options.decay ? " (on by default)" : ""));
  add_integer(command, "--warm-up", options.warm_up, 0, most_of_all,
              "steps in which the learning rate increases; then it decreases with the\n"
              "inverse square root of the step, or along the cosine");
  add_number(command, "--weight-decay", options.weight_decay, {0, 1000, true, false},
             "λ of L2 regularisation: λ · W is added to the gradient of each matrix W");
  add_number(command, "--clip", options.clip, {0, 1e9, false, true},
             "maximum global norm of the gradients");
  add_integer(command, "--patience", options.patience, 1, 1'000'000,
              "stop after this many epochs without a better " + figure);
  add_integer(command, "--shards", options.shards, 0, 4096,
              "cut each batch into shards and add their gradients in one order, which gives\n"
              "the same bits on one rank and on several (mpirun); 0: leave it whole");
  add_number(command, "--save-every", options.save_every, {0, 1e9, true, true},
             "minutes between two checkpoints within an epoch");
}

void add_files(CLI::App* command, TrainOptions& options, std::string& report,
               const std::string& model_path) {
  options.model_path = model_path;
  command->add_option("--model", options.model_path, "file for the best model (safetensors)")
      ->capture_default_str();
  command->add_flag("--resume", options.resume, "continue from the model's checkpoint");
  add_report(command, report);
}

void add_report(CLI::App* command, std::string& report) {
  command->add_option("--report", report, "write the figures to this file as JSON");
}

void add_saved_model(CLI::App* command, std::string& model_path) {
  command->add_option("--model", model_path, "a model file")->required();
}

int run_program(const std::string& name, CLI::App& app, int argc, char** argv,
                const std::function<int()>& run) {
  terminal::open_standard_streams();
  std::optional<Launch> launch;
  const auto failed = [&](const std::string& what, int status) {
    if (launch) launch->before_failure();
    terminal::message(what);
    if (launch) launch->fail(status);
    return status;
  };
  const auto named = [&](const std::string& what) {
    return fmt::format("{}: {}", launch ? launch->name(name) : name, what);
  };
  try {
    launch.emplace();
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      std::ostringstream out, err;
      const int status = app.exit(error, out, err);  // help, or what is wrong
      terminal::print(out.str());
      if (status != 0 && world().size() > 1) return failed(named(err.str()), status);
      return terminal::ended(name, status, err.str());
    }
    if (!app.get_subcommands().empty() && argv[1][0] == '-')
      throw Error(fmt::format("options come after the command: {} {} --seed 2 …", name,
                              app.get_subcommands()[0]->get_name()));
    return terminal::ended(name, run());
  } catch (const std::bad_alloc&) {
    return failed(named("not enough memory; try smaller options (--help lists them)"), 1);
  } catch (const std::exception& error) {
    return failed(named(error.what()), 1);
  }
}

}  // namespace gradus::training
