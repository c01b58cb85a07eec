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
  if (model.architecture == Architecture::gnmt) {
    prefer("--layers", model.layers, 3);
    prefer("--dropout", model.dropout, demonstration ? 0 : 0.2);
    if (demonstration) prefer("--epochs", training.epochs, 12);
    return;
  }
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
  const Architecture architecture = model.architecture;
  auto refuse = [&](std::initializer_list<const char*> options, const char* other) {
    for (const char* option : options)
      if (given.count(option) > 0)
        throw Error(fmt::format("{} is an option of --architecture {}", option, other));
  };
  auto only = [&](AttentionKind kind, const char* what) {
    if (given.count("--attention") > 0 && model.attention != kind)
      throw Error(
          fmt::format("--attention {} is an option of --architecture lstm; {} has {} attention",
                      name_among(attentions, model.attention), what, name_among(attentions, kind)));
  };
  if (architecture != Architecture::transformer) refuse({"--norm-last", "--tie"}, "transformer");
  if (architecture != Architecture::lstm)
    refuse({"--bidirectional", "--no-input-feeding", "--window"}, "lstm");
  if (architecture == Architecture::gnmt) {
    refuse({"--heads"}, "lstm or transformer");
    only(AttentionKind::additive, "GNMT");
  }
  if (architecture == Architecture::transformer) {
    refuse({"--embedding"}, "lstm or gnmt");
    only(AttentionKind::multi_head, "a Transformer");
  }
}

/// Refuses options of subwords where there are none.
void check_text_options(const CLI::App& given, const TextOptions& options) {
  const bool source = options.source_unit == "subwords", target = options.target_unit == "subwords";
  for (const char* option : {"--subwords", "--subword-kind", "--subword-dropout", "--lower-case"})
    if (given.count(option) > 0 && !source && !target)
      throw Error(fmt::format(
          "{} is for subwords: give --source-unit subwords, --target-unit subwords or both",
          option));
  if (given.count("--subword-dropout") > 0 && options.subwords.kind != SubwordKind::bpe)
    throw Error("--subword-dropout leaves out merges of BPE: give --subword-kind bpe");
  if (options.joint && !(source && target))
    throw Error("--joint needs --source-unit subwords --target-unit subwords");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Translates with an LSTM and attention, GNMT or a Transformer. Without a command: trains\n"
      "English to Chinese on the embedded corpus and shows the result.");
  app.require_subcommand(0, 1);
  app.set_help_all_flag("--help-all", "Help for all commands");

  TrainOptions training;
  ModelOptions model;
  Files files;
  Data data;
  DecodeOptions decoding;
  bool no_input_feeding = false, tie = false, n_best = false;
  std::string evaluated, sentence, svg;
  std::vector<std::string> model_words;

  auto add_all = [&](CLI::App* command) {
    command->option_defaults()->group("Training");
    add_training(command, training, "sentence pairs", "BLEU");
    add_number(command, "--dropout", model.dropout, share, "dropout rate in training");
    add_number(command, "--label-smoothing", model.label_smoothing, share,
               "probability that label smoothing spreads over all tokens in training");
    command->option_defaults()->group("Model");
    add_name(command, "--architecture", model.architecture, architectures,
             "lstm, gnmt or transformer");
    add_integer(command, "--embedding", model.embedding, 1, most_units,
                "size of the embeddings (LSTM, GNMT)");
    add_integer(command, "--hidden", model.hidden, 1, most_units, "size of the hidden states");
    add_integer(command, "--layers", model.layers, 1, most_layers,
                "number of layers of the encoder and of the decoder");
    add_name(command, "--attention", model.attention, attentions,
             "dot, scaled, general, additive, local-m, local-p or multi-head (LSTM)");
    add_integer(command, "--heads", model.heads, 1, most_units,
                "heads of multi-head attention; must divide --hidden");
    add_integer(command, "--window", model.window, 1, most_window,
                "words to each side in local attention");
    command->add_flag("--norm-last{false}", model.norm_first,
                      "normalise after each sublayer, not before it (Transformer)");
    command->add_flag("--tie", tie,
                      "one matrix for target embeddings and output layer, and with --joint for\n"
                      "source embeddings (Transformer)");
    command->add_flag("--bidirectional,!--unidirectional", model.bidirectional,
                      std::string("bidirectional encoder (LSTM)") +
                          (model.bidirectional ? " (on by default)" : ""));
    command->add_flag("--no-input-feeding", no_input_feeding,
                      "do not feed the attention output of a step into the next step (LSTM)");
    command->option_defaults()->group("Files");
    command
        ->add_option("--model", model_words,
                     "file for the best model (safetensors); --model transformer is short for\n"
                     "--architecture transformer, a file of that name is ./transformer")
        ->allow_extra_args(false)
        ->default_str(files.model);
    command->add_flag("--resume", training.resume, "continue from the model's checkpoint");
    add_integer(command, "--keep", files.keep, 0, 1'000'000,
                "also keep the models of so many last epochs, for 'translate average': of\n"
                "a.safetensors as a.epoch7.safetensors");
    add_report(command, files.report);
  };
  std::vector<std::string> models;
  auto add_models = [&](CLI::App* command) {
    return command
        ->add_option("--model", models, "a model file; of several, the mean of their predictions")
        ->required()
        ->allow_extra_args(false);
  };
  double length_penalty = 0, coverage_penalty = 0;
  auto add_decoding = [&](CLI::App* command) {
    add_models(command);
    add_integer(command, "--beam", decoding.beam, 1, 1000, "beam size; 1 is greedy decoding");
    add_number(command, "--length-penalty", length_penalty, weight,
               "α in log p / ((5 + length) / 6)^α; 0.2 for GNMT");
    add_number(command, "--coverage-penalty", coverage_penalty, weight,
               "β in + β · Σ log min(total attention to a word, 1); 0.2 for GNMT");
    add_number(command, "--word-penalty", decoding.word_penalty, {-100, 100, true, true},
               "is added for each target token: above 0 for longer translations");
    add_integer(command, "--no-repeat", decoding.no_repeat, 0, 1000,
                "write no n-gram of so many tokens twice; 0: any");
    command->add_flag("--replace-unknown", decoding.unknown,
                      "where the model has no word, write the source word attended to most");
    add_integer(command, "--max-length", decoding.longest, 1, 10'000,
                "maximum number of target tokens");
    add_threads(command);
  };
  files.model = "runs/translate.safetensors";

  CLI::App* train_command = app.add_subcommand("train", "Train on files of sentence pairs");
  train_command->option_defaults()->group("Data and tokens");
  train_command
      ->add_option("--train", data.train, "training pairs, tab-separated: source, target, …")
      ->required();
  train_command->add_option("--valid", data.valid, "validation pairs in the same format")
      ->required();
  add_integer(train_command, "--max-source", data.text.max_source, 0, most_of_all,
              "skip training pairs with more source tokens; 0: no limit");
  add_integer(train_command, "--max-target", data.text.max_target, 0, most_of_all,
              "skip training pairs with more target tokens; 0: no limit");
  add_integer(train_command, "--min-count", data.text.min_count, 1, most_of_all,
              "tokens that occur less often become <unk>");
  const auto units = CLI::IsMember({"auto", "words", "characters", "subwords"});
  for (auto [option, unit] : {std::pair("--source-unit", &data.text.source_unit),
                              std::pair("--target-unit", &data.text.target_unit)})
    train_command
        ->add_option(option, *unit, "words, characters, subwords, or auto: chosen by script")
        ->check(units)
        ->type_name("NAME")
        ->capture_default_str();
  add_integer(train_command, "--subwords", data.text.subwords.size, 5, 1'000'000,
              "size of a vocabulary of subwords, at most");
  add_name(train_command, "--subword-kind", data.text.subwords.kind, subword_kinds,
           "how subwords are found: bpe or unigram");
  add_number(train_command, "--subword-dropout", model.subword_dropout, share,
             "probability that a merge of BPE is left out: other subwords in each epoch");
  train_command->add_flag("--lower-case", data.text.subwords.lower_case,
                          "subwords of the texts in lower case (words always are)");
  train_command->add_flag("--joint", data.text.joint, "one vocabulary of subwords for both sides");
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
  Tokenisation tokenisation = Tokenisation::own;
  const CLI::Option* bleu =
      eval_command
          ->add_option(
              "--bleu", tokenisation,
              "tokens of BLEU: own, those of the model; or sacrebleu's none, 13a, intl, zh\n"
              "or char. Without it own, and for subwords 13a or char")
          ->transform(CLI::CheckedTransformer(tokenisations).description(""))
          ->type_name("NAME");
  add_report(eval_command, files.report);

  CLI::App* average_command =
      app.add_subcommand("average", "Average the weights of models of one run (see train --keep)");
  std::string output;
  add_models(average_command)->description("a model file; give it several times");
  average_command->add_option("--output", output, "file for the mean (safetensors)")->required();

  CLI::App* attention_command =
      app.add_subcommand("attention", "Draw the attention of a translation");
  add_saved_model(attention_command, files.model);
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
    if (tie) model.tied = data.text.joint ? Tied::all : Tied::output;
    choose_defaults(given, demonstration, model, training);
    check_options(given, model);
    if (train_command->parsed()) check_text_options(*train_command, data.text);
    for (const CLI::App* command : {text_command, eval_command}) {
      if (command->count("--length-penalty") > 0) decoding.length_penalty = length_penalty;
      if (command->count("--coverage-penalty") > 0) decoding.coverage_penalty = coverage_penalty;
    }
    decoding.attention = decoding.unknown;
    if (text_command->parsed()) return translate_text(models, decoding, n_best);
    if (eval_command->parsed())
      return evaluate_file(models, evaluated, decoding,
                           bleu->count() > 0 ? std::optional(tokenisation) : std::nullopt,
                           files.report);
    if (average_command->parsed()) return average_models(models, output);
    if (attention_command->parsed()) return draw_attention(files.model, sentence, svg);
    return train_command->parsed() ? train_on_files(data, model, training, files)
                                   : demonstrate(model, training, files);
  });
}
