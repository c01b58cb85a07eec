#include <fmt/format.h>

#include "core/tensor/error.h"
#include "examples/training/command_line.h"
#include "examples/translate/commands.h"

using namespace gradus;
using namespace gradus::translate;

namespace {

constexpr Bounds weight{0, 100, true, true};

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

  TrainOptions training;
  ModelOptions model;
  Files files;
  Data data;
  DecodeOptions decoding;
  bool no_input_feeding = false, n_best = false;
  std::string evaluated, sentence, svg;
  std::vector<std::string> model_words;

  auto add_all = [&](CLI::App* command) {
    add_training(command, training, "sentence pairs", "BLEU");
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
    command->add_flag(
        "--bidirectional,!--unidirectional", model.bidirectional,
        std::string("bidirectional encoder") + (model.bidirectional ? " (on by default)" : ""));
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
  add_all(train_command);

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
  add_all(&app);
  return run_program("translate", app, argc, argv, [&] {
    model.input_feeding = !no_input_feeding;
    for (const std::string& word : model_words) {
      if (const auto named = architectures.find(word); named != architectures.end())
        model.architecture = named->second;
      else
        files.model = word;
    }
    const CLI::App& given = demonstration ? app : *train_command;
    choose_defaults(given, demonstration, model, training);
    check_options(given, model);
    if (demonstration && !app.get_subcommands().empty())
      throw Error("options come after the command: translate train --seed 2 …");
    if (text_command->parsed()) return translate_text(files.model, decoding, n_best);
    if (eval_command->parsed())
      return evaluate_file(files.model, evaluated, decoding, files.report);
    if (attention_command->parsed()) return draw_attention(files.model, sentence, svg);
    return train_command->parsed() ? train_on_files(data, model, training, files)
                                   : demonstrate(model, training, files);
  });
}
