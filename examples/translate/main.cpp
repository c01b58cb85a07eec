#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/tensor/error.h"
#include "core/tensor/threads.h"
#include "examples/translate/commands.h"

using namespace gradus;
using namespace gradus::translate;

namespace {

/// Refuses what is not a number, or one that `fits` does not hold for.
CLI::Validator number(const char* wanted, bool (*fits)(double)) {
  return CLI::Validator(
      [=](std::string& text) {
        double value = 0;
        return CLI::detail::lexical_cast(text, value) && fits(value)
                   ? std::string()
                   : fmt::format("wants {}, was given {}", wanted, text);
      },
      "");
}

/// Sets what was not given to values that suit the model.
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

/// Options that say nothing to the chosen architecture.
void check_options(const CLI::App& given, const ModelOptions& model) {
  const bool is_lstm = model.architecture == Architecture::lstm;
  auto refuse = [&](std::initializer_list<const char*> options, const char* other) {
    for (const char* option : options)
      if (given.count(option) > 0)
        throw Error(fmt::format("{} goes with --architecture {}", option, other));
  };
  if (is_lstm)
    refuse({"--norm-last"}, "transformer");
  else
    refuse({"--embedding", "--bidirectional", "--no-input-feeding", "--window"}, "lstm");
  if (!is_lstm && given.count("--attention") > 0 && model.attention != AttentionKind::multi_head)
    throw Error(
        fmt::format("--attention {} goes with --architecture lstm; a Transformer's is "
                    "multi-head",
                    name_among(attentions, model.attention)));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Translates English to Chinese with an LSTM and attention, or with a Transformer. Without a\n"
      "command: trains on the embedded corpus and shows what came of it.");
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

  const auto positive = number("a number above 0", [](double x) { return x > 0; });
  const auto not_negative = number("0 or a number above 0", [](double x) { return x >= 0; });
  const auto share = number("a number from 0 to below 1", [](double x) { return x >= 0 && x < 1; });
  auto add_training = [&](CLI::App* command) {
    command->add_option("--epochs", training.epochs, "passes over the data")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--seed", training.seed, "of weights, order and dropout")
        ->check(not_negative)
        ->capture_default_str();
    command->add_option("--threads", thread_count, "0: as many as the processor has")
        ->check(not_negative)
        ->capture_default_str();
    command->add_option("--batch", training.batch_size, "sentence pairs per step")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--rate", training.learning_rate, "learning rate of Adam")
        ->check(positive)
        ->capture_default_str();
    const auto on_by_default = [](bool value) { return value ? " (on by default)" : ""; };
    command->add_flag(
        "--decay,!--no-decay", training.decay,
        std::string("let the rate fall along a cosine") + on_by_default(training.decay));
    command
        ->add_option("--warm-up", training.warm_up,
                     "steps in which the rate rises; after them it falls with the inverse square\n"
                     "root, or along the cosine")
        ->check(not_negative)
        ->capture_default_str();
    command->add_option("--clip", training.clip, "largest norm of the gradient")
        ->check(positive)
        ->capture_default_str();
    command
        ->add_option("--patience", training.patience,
                     "epochs without a better BLEU before stopping")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--embedding", model.embedding, "size of the LSTM's word vectors")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--hidden", model.hidden, "size of the states")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--layers", model.layers, "of encoder and decoder")
        ->check(positive)
        ->capture_default_str();
    command
        ->add_option("--dropout", model.dropout,
                     "share of the numbers that each training step leaves out")
        ->check(share)
        ->capture_default_str();
    command->add_option("--architecture", model.architecture, "lstm or transformer")
        ->transform(CLI::CheckedTransformer(architectures).description(""))
        ->type_name("NAME")
        ->default_str(name_among(architectures, model.architecture));
    command
        ->add_option("--attention", model.attention,
                     "of the LSTM: dot, scaled, general, additive, local-m, local-p or multi-head")
        ->transform(CLI::CheckedTransformer(attentions).description(""))
        ->type_name("NAME")
        ->default_str(name_among(attentions, model.attention));
    command->add_option("--heads", model.heads, "of multi-head attention; they divide --hidden")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--window", model.window, "of local attention: words to each side")
        ->check(positive)
        ->capture_default_str();
    command->add_flag("--norm-last{false}", model.norm_first,
                      "of the Transformer: normalise after each sublayer, not before");
    command
        ->add_option("--label-smoothing", model.label_smoothing,
                     "share of the probability that training gives to all tokens")
        ->check(share)
        ->capture_default_str();
    command->add_flag(
        "--bidirectional,!--unidirectional", model.bidirectional,
        std::string("encode in both directions") + on_by_default(model.bidirectional));
    command->add_flag("--no-input-feeding", no_input_feeding,
                      "do not feed the attentional vector back");
    command
        ->add_option(
            "--model", model_words,
            "where the best model is kept (safetensors); --model transformer is short for\n"
            "--architecture transformer, a file of that name is ./transformer")
        ->allow_extra_args(false)
        ->default_str(files.model);
    command->add_flag("--resume", training.resume, "go on from the model's checkpoint");
    command->add_option("--report", files.report, "write the figures as JSON");
  };
  auto add_decoding = [&](CLI::App* command) {
    command->add_option("--model", files.model, "a model file")->required();
    command->add_option("--beam", decoding.beam, "hypotheses kept; 1 is greedy")
        ->check(positive)
        ->capture_default_str();
    command
        ->add_option("--length-penalty", decoding.length_penalty, "α: log p / ((5 + length) / 6)^α")
        ->check(not_negative)
        ->capture_default_str();
    command
        ->add_option("--coverage-penalty", decoding.coverage_penalty,
                     "β: + β · Σ log min(how much a word was looked at, 1)")
        ->check(not_negative)
        ->capture_default_str();
    command->add_option("--max-length", decoding.longest, "target tokens at most")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--threads", thread_count, "0: as many as the processor has")
        ->check(not_negative)
        ->capture_default_str();
  };
  files.model = "runs/translate.safetensors";

  CLI::App* train_command = app.add_subcommand("train", "Train on files of sentence pairs");
  train_command->add_option("--train", data.train, "tab-separated: source, target, …")->required();
  train_command->add_option("--valid", data.valid, "the same, to judge each epoch by")->required();
  train_command
      ->add_option("--max-source", data.max_source,
                   "leave out training pairs of more source tokens; 0: none")
      ->check(not_negative)
      ->capture_default_str();
  train_command
      ->add_option("--max-target", data.max_target,
                   "leave out training pairs of more target tokens; 0: none")
      ->check(not_negative)
      ->capture_default_str();
  train_command->add_option("--min-count", data.min_count, "tokens seen less often are <unk>")
      ->check(positive)
      ->capture_default_str();
  const auto units = CLI::IsMember({"auto", "words", "characters"});
  train_command->add_option("--source-unit", data.source_unit, "auto: by script")
      ->check(units)
      ->capture_default_str();
  train_command->add_option("--target-unit", data.target_unit, "auto: by script")
      ->check(units)
      ->capture_default_str();
  add_training(train_command);

  CLI::App* text_command = app.add_subcommand("text", "Translate lines from standard input");
  add_decoding(text_command);
  text_command->add_flag("--n-best", n_best,
                         "all hypotheses of the beam with their scores, a blank line after each");

  CLI::App* eval_command = app.add_subcommand("eval", "Judge a model by a file of sentence pairs");
  add_decoding(eval_command);
  eval_command->add_option("--data", evaluated, "tab-separated: source, target, …")->required();
  eval_command->add_option("--report", files.report, "write the figures as JSON");

  CLI::App* attention_command =
      app.add_subcommand("attention", "Draw what a translation looked at");
  attention_command->add_option("--model", files.model, "a model file")->required();
  attention_command->add_option("--svg", svg, "write the picture here too");
  attention_command->add_option("sentence", sentence, "what to translate")->required();

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
