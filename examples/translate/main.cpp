#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <new>
#include <sstream>

#include "core/tensor/error.h"
#include "core/tensor/threads.h"
#include "examples/terminal/output.h"
#include "examples/translate/commands.h"

using namespace gradus;
using namespace gradus::translate;

namespace {

/// An option that is an integer in decimal digits, from `least` to `most`: what the help shows and
/// an error names.
template <class T>
CLI::Option* add_integer(CLI::App* command, const char* name, T& value, uint64_t least,
                         uint64_t most, const std::string& description) {
  const CLI::Validator within(
      [=](std::string& text) {
        uint64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc() || end != text.data() + text.size() || number < least ||
            number > most)
          return fmt::format("expected an integer from {} to {}, got {}", least, most, text);
        text = std::to_string(number);  // to the parser, 010 would be 8
        return std::string();
      },
      "");
  return command->add_option(name, value, description)
      ->transform(within)
      ->type_name(fmt::format("INTEGER ({} to {})", least, most))
      ->capture_default_str();
}

/// From `least` to `most`; whether they themselves count.
struct Bounds {
  double least, most;
  bool least_counts, most_counts;
};
/// An option that is a number within bounds.
CLI::Option* add_number(CLI::App* command, const char* name, double& value, const Bounds& bounds,
                        const std::string& description) {
  const std::string range = fmt::format("{}{}, {}{}", bounds.least_counts ? '[' : '(', bounds.least,
                                        bounds.most, bounds.most_counts ? ']' : ')');
  const CLI::Validator within(
      [=](std::string& text) {
        double x = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), x);
        const bool fits = error == std::errc() && end == text.data() + text.size() &&
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

constexpr Bounds share{0, 1, true, false}, weight{0, 100, true, true};
constexpr uint64_t most_of_all = 1'000'000'000;

/// Sets the options that were not given to values that suit the model.
void choose_defaults(const CLI::App& given, bool demonstration, ModelOptions& model,
                     TrainOptions& training) {
  auto prefer = [&]<class T>(const char* option, T& value, std::type_identity_t<T> better) {
    if (given.count(option) == 0) value = better;
  };
  if (model.architecture == Architecture::lstm) {
    if (demonstration && model.attention != AttentionKind::dot)  // which learns the fastest
      prefer("--epochs", training.epochs, model.attention == AttentionKind::general ? 16 : 12);
    return;
  }
  prefer("--layers", model.layers, 2);
  prefer("--dropout", model.dropout, 0.1);
  prefer("--label-smoothing", model.label_smoothing, 0.1);
  prefer("--warm-up", training.warm_up, demonstration ? 200 : 400);
  if (demonstration) prefer("--rate", training.learning_rate, 1e-3);
}

/// Refuses options that the chosen architecture does not have.
void check_options(const CLI::App& given, const ModelOptions& model) {
  const bool is_lstm = model.architecture == Architecture::lstm;
  auto refuse = [&](std::initializer_list<const char*> options, const char* other) {
    for (const char* option : options)
      if (given.count(option) > 0)
        throw Error(fmt::format("{} is an option of --architecture {}", option, other));
  };
  if (is_lstm)
    refuse({"--norm-last"}, "transformer");
  else
    refuse({"--embedding", "--bidirectional", "--no-input-feeding", "--window"}, "lstm");
  if (!is_lstm && given.count("--attention") > 0 && model.attention != AttentionKind::multi_head)
    throw Error(
        fmt::format("--attention {} is an option of --architecture lstm; a Transformer has "
                    "multi-head attention",
                    name_among(attentions, model.attention)));
}

}  // namespace

int main(int argc, char** argv) {
  terminal::open_standard_streams();
  CLI::App app(
      "Translates English to Chinese with an LSTM and attention, or with a Transformer. Without a\n"
      "command: trains on the embedded corpus and shows the result.");
  app.require_subcommand(0, 1);
  app.set_help_all_flag("--help-all", "Help for all commands");

  int thread_count = 0;
  TrainOptions training;
  ModelOptions model;
  Files files;
  Data data;
  DecodeOptions decoding;
  bool no_input_feeding = false, n_best = false;
  std::string evaluated, sentence, svg;
  std::vector<std::string> model_words;

  auto add_threads = [&](CLI::App* command) {
    add_integer(command, "--threads", thread_count, 0, 4096,
                "number of threads; 0: one for each processor core");
  };
  auto add_training = [&](CLI::App* command) {
    add_integer(command, "--epochs", training.epochs, 1, 1'000'000,
                "passes over the training data");
    add_integer(command, "--seed", training.seed, 0, UINT64_MAX,
                "seed of the weights, the order of batches and dropout");
    add_threads(command);
    add_integer(command, "--batch", training.batch_size, 1, 1'000'000,
                "sentence pairs per training step");
    add_number(command, "--rate", training.learning_rate, {0, 1000, false, true},
               "learning rate of Adam");
    const auto on_by_default = [](bool value) { return value ? " (on by default)" : ""; };
    command->add_flag("--decay,!--no-decay", training.decay,
                      std::string("decrease the learning rate to 0 along a cosine") +
                          on_by_default(training.decay));
    add_integer(command, "--warm-up", training.warm_up, 0, most_of_all,
                "steps in which the learning rate increases; then it decreases with the\n"
                "inverse square root of the step, or along the cosine");
    add_number(command, "--clip", training.clip, {0, 1e9, false, true},
               "maximum global norm of the gradients");
    add_integer(command, "--patience", training.patience, 1, 1'000'000,
                "stop after this many epochs without a better BLEU");
    add_integer(command, "--embedding", model.embedding, 1, most_units,
                "size of the embeddings (LSTM)");
    add_integer(command, "--hidden", model.hidden, 1, most_units, "size of the hidden states");
    add_integer(command, "--layers", model.layers, 1, most_layers,
                "number of layers of the encoder and of the decoder");
    add_number(command, "--dropout", model.dropout, share, "dropout rate in training");
    command->add_option("--architecture", model.architecture, "lstm or transformer")
        ->transform(CLI::CheckedTransformer(architectures).description(""))
        ->type_name("NAME")
        ->default_str(name_among(architectures, model.architecture));
    command
        ->add_option("--attention", model.attention,
                     "dot, scaled, general, additive, local-m, local-p or multi-head (LSTM)")
        ->transform(CLI::CheckedTransformer(attentions).description(""))
        ->type_name("NAME")
        ->default_str(name_among(attentions, model.attention));
    add_integer(command, "--heads", model.heads, 1, most_units,
                "heads of multi-head attention; must divide --hidden");
    add_integer(command, "--window", model.window, 1, most_window,
                "words to each side in local attention");
    command->add_flag("--norm-last{false}", model.norm_first,
                      "normalise after each sublayer, not before it (Transformer)");
    add_number(command, "--label-smoothing", model.label_smoothing, share,
               "probability that label smoothing spreads over all tokens in training");
    command->add_flag("--bidirectional,!--unidirectional", model.bidirectional,
                      std::string("bidirectional encoder") + on_by_default(model.bidirectional));
    command->add_flag("--no-input-feeding", no_input_feeding,
                      "do not feed the attention output of a step into the next step");
    command
        ->add_option("--model", model_words,
                     "file for the best model (safetensors); --model transformer is short for\n"
                     "--architecture transformer, a file of that name is ./transformer")
        ->allow_extra_args(false)
        ->default_str(files.model);
    command->add_flag("--resume", training.resume, "continue from the model's checkpoint");
    command->add_option("--report", files.report, "write the metrics to this file as JSON");
  };
  auto add_decoding = [&](CLI::App* command) {
    command->add_option("--model", files.model, "a model file")->required();
    add_integer(command, "--beam", decoding.beam, 1, 1000, "beam size; 1 is greedy decoding");
    add_number(command, "--length-penalty", decoding.length_penalty, weight,
               "α in log p / ((5 + length) / 6)^α");
    add_number(command, "--coverage-penalty", decoding.coverage_penalty, weight,
               "β in + β · Σ log min(total attention to a word, 1)");
    add_integer(command, "--max-length", decoding.longest, 1, 10'000,
                "maximum number of target tokens");
    add_threads(command);
  };
  files.model = "runs/translate.safetensors";

  CLI::App* train_command = app.add_subcommand("train", "Train on files of sentence pairs");
  train_command
      ->add_option("--train", data.train, "training pairs, tab-separated: source, target, …")
      ->required();
  train_command->add_option("--valid", data.valid, "validation pairs in the same format")
      ->required();
  add_integer(train_command, "--max-source", data.max_source, 0, most_of_all,
              "skip training pairs with more source tokens; 0: no limit");
  add_integer(train_command, "--max-target", data.max_target, 0, most_of_all,
              "skip training pairs with more target tokens; 0: no limit");
  add_integer(train_command, "--min-count", data.min_count, 1, most_of_all,
              "tokens that occur less often become <unk>");
  const auto units = CLI::IsMember({"auto", "words", "characters"});
  train_command->add_option("--source-unit", data.source_unit, "auto: chosen by script")
      ->check(units)
      ->capture_default_str();
  train_command->add_option("--target-unit", data.target_unit, "auto: chosen by script")
      ->check(units)
      ->capture_default_str();
  add_training(train_command);

  CLI::App* text_command = app.add_subcommand("text", "Translate lines from standard input");
  add_decoding(text_command);
  text_command->add_flag("--n-best", n_best,
                         "print all hypotheses of the beam with their scores, then a blank line");

  CLI::App* eval_command =
      app.add_subcommand("eval", "Evaluate a model on a file of sentence pairs");
  add_decoding(eval_command);
  eval_command->add_option("--data", evaluated, "sentence pairs, tab-separated: source, target, …")
      ->required();
  eval_command->add_option("--report", files.report, "write the metrics to this file as JSON");

  CLI::App* attention_command =
      app.add_subcommand("attention", "Draw the attention of a translation");
  attention_command->add_option("--model", files.model, "a model file")->required();
  attention_command->add_option("--svg", svg, "also write the picture to this file");
  attention_command->add_option("sentence", sentence, "the sentence to translate")->required();

  // The embedded corpus is small and regular: a small model learns it in less than a minute.
  const bool demonstration = argc < 2 || argv[1][0] == '-';
  if (demonstration) {
    model = {
        .embedding = 64, .hidden = 128, .bidirectional = true, .attention = AttentionKind::dot};
    training.epochs = 6;
    training.batch_size = 16;
    training.learning_rate = 4e-3;
    training.decay = true;
  }
  add_training(&app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    const int status = app.exit(error, out, err);  // help, or what is wrong
    terminal::print(out.str());
    return terminal::ended("translate", status, err.str());
  }

  model.input_feeding = !no_input_feeding;
  for (const std::string& word : model_words) {
    if (const auto named = architectures.find(word); named != architectures.end())
      model.architecture = named->second;
    else
      files.model = word;
  }
  const CLI::App& given = demonstration ? app : *train_command;
  choose_defaults(given, demonstration, model, training);
  try {
    check_options(given, model);
    if (demonstration && !app.get_subcommands().empty())
      throw Error("options come after the command: translate train --seed 2 …");
    if (thread_count > 0) set_threads(thread_count);
    auto run = [&] {
      if (text_command->parsed()) return translate_text(files.model, decoding, n_best);
      if (eval_command->parsed())
        return evaluate_file(files.model, evaluated, decoding, files.report);
      if (attention_command->parsed()) return draw_attention(files.model, sentence, svg);
      return train_command->parsed() ? train_on_files(data, model, training, files)
                                     : demonstrate(model, training, files);
    };
    return terminal::ended("translate", run());
  } catch (const std::bad_alloc&) {
    terminal::message("translate: not enough memory; try a smaller --batch, --beam or --hidden");
  } catch (const std::exception& error) {
    terminal::message(fmt::format("translate: {}", error.what()));
  }
  return 1;
}
