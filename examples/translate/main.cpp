#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/tensor/error.h"
#include "core/tensor/threads.h"
#include "examples/translate/commands.h"

using namespace gradus;
using namespace gradus::translate;

namespace {

/// Accepts numbers for which `fits` is true.
CLI::Validator number(const char* expected, bool (*fits)(double)) {
  return CLI::Validator(
      [=](std::string& text) {
        double value = 0;
        return CLI::detail::lexical_cast(text, value) && fits(value)
                   ? std::string()
                   : fmt::format("expected {}, got {}", expected, text);
      },
      "");
}

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

  const auto positive = number("a number greater than 0", [](double x) { return x > 0; });
  const auto not_negative = number("a number of at least 0", [](double x) { return x >= 0; });
  const auto share = number("a number in [0, 1)", [](double x) { return x >= 0 && x < 1; });
  auto add_training = [&](CLI::App* command) {
    command->add_option("--epochs", training.epochs, "passes over the training data")
        ->check(positive)
        ->capture_default_str();
    command
        ->add_option("--seed", training.seed,
                     "seed of the weights, the order of batches and dropout")
        ->check(not_negative)
        ->capture_default_str();
    command
        ->add_option("--threads", thread_count, "number of threads; 0: one for each processor core")
        ->check(not_negative)
        ->capture_default_str();
    command->add_option("--batch", training.batch_size, "sentence pairs per training step")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--rate", training.learning_rate, "learning rate of Adam")
        ->check(positive)
        ->capture_default_str();
    const auto on_by_default = [](bool value) { return value ? " (on by default)" : ""; };
    command->add_flag("--decay,!--no-decay", training.decay,
                      std::string("decrease the learning rate to 0 along a cosine") +
                          on_by_default(training.decay));
    command
        ->add_option("--warm-up", training.warm_up,
                     "steps in which the learning rate increases; then it decreases with the\n"
                     "inverse square root of the step, or along the cosine")
        ->check(not_negative)
        ->capture_default_str();
    command->add_option("--clip", training.clip, "maximum global norm of the gradients")
        ->check(positive)
        ->capture_default_str();
    command
        ->add_option("--patience", training.patience,
                     "stop after this many epochs without a better BLEU")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--embedding", model.embedding, "size of the embeddings (LSTM)")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--hidden", model.hidden, "size of the hidden states")
        ->check(positive)
        ->capture_default_str();
    command
        ->add_option("--layers", model.layers, "number of layers of the encoder and of the decoder")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--dropout", model.dropout, "dropout rate in training")
        ->check(share)
        ->capture_default_str();
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
    command
        ->add_option("--heads", model.heads, "heads of multi-head attention; must divide --hidden")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--window", model.window, "words to each side in local attention")
        ->check(positive)
        ->capture_default_str();
    command->add_flag("--norm-last{false}", model.norm_first,
                      "normalise after each sublayer, not before it (Transformer)");
    command
        ->add_option("--label-smoothing", model.label_smoothing,
                     "probability that label smoothing spreads over all tokens in training")
        ->check(share)
        ->capture_default_str();
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
    command->add_option("--beam", decoding.beam, "beam size; 1 is greedy decoding")
        ->check(positive)
        ->capture_default_str();
    command
        ->add_option("--length-penalty", decoding.length_penalty,
                     "α in log p / ((5 + length) / 6)^α")
        ->check(not_negative)
        ->capture_default_str();
    command
        ->add_option("--coverage-penalty", decoding.coverage_penalty,
                     "β in + β · Σ log min(total attention to a word, 1)")
        ->check(not_negative)
        ->capture_default_str();
    command->add_option("--max-length", decoding.longest, "maximum number of target tokens")
        ->check(positive)
        ->capture_default_str();
    command
        ->add_option("--threads", thread_count, "number of threads; 0: one for each processor core")
        ->check(not_negative)
        ->capture_default_str();
  };
  files.model = "runs/translate.safetensors";

  CLI::App* train_command = app.add_subcommand("train", "Train on files of sentence pairs");
  train_command
      ->add_option("--train", data.train, "training pairs, tab-separated: source, target, …")
      ->required();
  train_command->add_option("--valid", data.valid, "validation pairs in the same format")
      ->required();
  train_command
      ->add_option("--max-source", data.max_source,
                   "skip training pairs with more source tokens; 0: no limit")
      ->check(not_negative)
      ->capture_default_str();
  train_command
      ->add_option("--max-target", data.max_target,
                   "skip training pairs with more target tokens; 0: no limit")
      ->check(not_negative)
      ->capture_default_str();
  train_command
      ->add_option("--min-count", data.min_count, "tokens that occur less often become <unk>")
      ->check(positive)
      ->capture_default_str();
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
  CLI11_PARSE(app, argc, argv);

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
    const int status = run();
    flush_output();
    return status;
  } catch (const std::exception& error) {
    fmt::print(stderr, "translate: {}\n", error.what());
    return 1;
  }
}
