#include "examples/translate/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/files/atomic_file.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"
#include "examples/terminal/draw.h"
#include "examples/terminal/output.h"
#include "examples/training/memory.h"
#include "examples/training/output_files.h"
#include "examples/training/report.h"
#include "examples/training/world.h"
#include "examples/translate/corpus.h"

namespace gradus::translate {

using namespace terminal;
using nlohmann::json;

namespace {

Trained untrained(Vocabularies vocabularies, const ModelOptions& options, uint64_t seed) {
  const int64_t source = vocabularies.source.size(), target = vocabularies.target.size();
  check_memory(planned_parameter_count(source, target, options),
               fmt::format("a model of --hidden {}, --embedding {} and --layers {}", options.hidden,
                           options.embedding, options.layers));
  Generator generator(seed);
  return {std::move(vocabularies.source), std::move(vocabularies.target),
          Translator(source, target, options, generator)};
}

std::vector<Pair> read_with_warnings(const std::string& path) {
  ReadPairs read = read_pairs(path);
  for (const std::string& warning : read.warnings) message(warning);
  return std::move(read.pairs);
}

json to_json(const Evaluation& evaluation) {
  return {{"valid_loss", evaluation.loss},
          {"bleu", evaluation.quality.bleu},
          {"chrf", evaluation.quality.chrf},
          {"exact_match", evaluation.quality.exact_match}};
}

json end_json(const std::string& judged_on, const Evaluation& evaluation, double seconds) {
  json end = to_json(evaluation);
  end.update({{"judged_on", judged_on}, {"seconds", seconds}});
  return end;
}

AttentionMap attention_map(const Trained& trained, const std::string& text) {
  DecodeOptions options;
  options.attention = true;
  const Hypothesis best = translate_texts(trained, {text}, options)[0][0];
  AttentionMap map{trained.source.tokens(text), trained.target.decode(best.ids), best.attention};
  map.weights.resize(map.target.size());  // without the row of <eos>
  return map;
}

}  // namespace

int demonstrate(const ModelOptions& model, TrainOptions options, const Files& files) {
  const auto start = std::chrono::steady_clock::now();
  const auto pictures =
      prepare_to_train(kind, files.model, files.report, {}, {"attention.svg", "loss.svg"});
  const std::string map_path = pictures[0], curve_path = pictures[1];
  Corpus corpus = embedded_corpus();
  Trained trained =
      untrained(make_vocabularies("the embedded corpus", corpus.train, {.min_count = 1}), model,
                options.seed);
  say("{} training pairs, {} validation pairs, {} held-out pairs\n", corpus.train.size(),
      corpus.valid.size(), corpus.test.size());
  say("{} parameters, {} English words, {} Chinese characters, {} threads\n",
      parameter_count(trained.model), trained.source.size(), trained.target.size(), threads());
  std::fflush(stdout);
  options.model_path = files.model;
  const TrainReport report = train(trained, corpus.train, corpus.valid, options, files.keep);
  if (report.interrupted) return interrupted_status;

  const Evaluation held_out = evaluate(trained, corpus.test);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_report(files.report,
               report_json(report, figures, end_json("held-out sentences", held_out, seconds)));
  say("\nheld-out sentences: BLEU {:.2f}, exact match {:.1f} %, after {}\n\n",
      held_out.quality.bleu, held_out.quality.exact_match, format_duration(seconds));
  std::vector<std::string> texts;
  constexpr size_t shown = 10;
  const size_t step = corpus.test.size() / shown;
  for (size_t i = 0; i < shown; ++i) texts.push_back(corpus.test[i * step].source);
  const auto translations = translate_texts(trained, texts);
  const auto longest = std::ranges::max_element(texts, {}, &std::string::size);
  const AttentionMap map = attention_map(trained, *longest);
  if (is_first_rank()) write_file(map_path, attention_svg(map));

  for (size_t i = 0; i < shown; ++i) {
    const std::string ours = trained.target.decode_text(translations[i][0].ids);
    const std::string& reference = corpus.test[i * step].target;
    say("  {}\n  {}\n", texts[i], ours);
    say("{}\n", ours == reference ? "  = reference\n" : "  ≠ " + reference + "\n");
  }
  say("{}\n", show_curves(report, "nats a token", curve_path));
  say("{}\n", attention_text(map));
  say("the model is in {}, the pictures are in {} and {}\n", files.model, map_path, curve_path);
  return 0;
}

int train_on_files(const Data& data, const ModelOptions& model, TrainOptions options,
                   const Files& files) {
  const auto start = std::chrono::steady_clock::now();
  prepare_to_train(kind, files.model, files.report,
                   {{"--train", data.train}, {"--valid", data.valid}});
  std::vector<Pair> pairs = read_with_warnings(data.train);
  const std::vector<Pair> valid = read_with_warnings(data.valid);
  Vocabularies vocabularies = make_vocabularies(data.train, pairs, data.text);
  if (const int64_t skipped = vocabularies.skipped; skipped > 0)
    message(fmt::format("{}: skipped {} pair{} longer than --max-source {} or --max-target {}",
                        data.train, skipped, skipped == 1 ? "" : "s", data.text.max_source,
                        data.text.max_target));
  Trained trained = untrained(std::move(vocabularies), model, options.seed);
  say("{} training pairs, {} validation pairs; {} parameters, vocabularies of {} and {}, "
      "{} threads\n",
      pairs.size(), valid.size(), parameter_count(trained.model), trained.source.size(),
      trained.target.size(), threads());
  std::fflush(stdout);
  options.model_path = files.model;
  const TrainReport report = train(trained, pairs, valid, options, files.keep);
  if (report.interrupted) return interrupted_status;
  if (report.best < 0) throw Error("train: expected at least one epoch, got none");
  const Evaluation evaluation = evaluation_of(report.best_epoch());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_report(files.report,
               report_json(report, figures, end_json(data.valid, evaluation, seconds)));
  say("best epoch {}: valid loss {:.4f}, BLEU {:.2f}, chrF {:.2f}, exact match {:.2f} %; "
      "the model is in {}\n",
      report.best_epoch().epoch, evaluation.loss, evaluation.quality.bleu, evaluation.quality.chrf,
      evaluation.quality.exact_match, files.model);
  return 0;
}

namespace {

/// A translation is one line, whatever a model's file calls its tokens.
std::string on_one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

}  // namespace

// Whole batches of lines from a file or a pipe, single lines from a terminal.
int translate_text(const std::vector<std::string>& models, const DecodeOptions& options,
                   bool n_best) {
  const Trained trained = load(models);
  const size_t batch = isatty(STDIN_FILENO) ? 1 : 64;
  std::ios::sync_with_stdio(false);
  std::vector<std::string> lines;
  int64_t line_number = 0;
  const auto take = [&](std::string line) {
    ++line_number;
    if (line_number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    if (line.ends_with('\r')) line.pop_back();
    if (!valid_utf8(line)) {
      message(fmt::format("line {}: invalid UTF-8, translated as an empty line", line_number));
      line.clear();
    }
    lines.push_back(std::move(line));
  };
  bool more = true;
  while (more) {
    lines.clear();
    std::string line;
    while (lines.size() < batch && (more = static_cast<bool>(std::getline(std::cin, line)))) {
      if (const auto old = lines_of(line); line_number == 0 && std::cin.eof() && old.size() > 1) {
        message(fmt::format(
            "standard input: its lines end in a carriage return alone, as on old Macs; read as {} "
            "lines",
            old.size()));
        for (const std::string& each : old) take(each);
      } else {
        take(line);
      }
      if (std::cin.rdbuf()->in_avail() <= 0) break;
    }
    const auto translations = translate_texts(trained, lines, options);
    for (size_t i = 0; i < lines.size(); ++i) {
      const auto written = [&](const Hypothesis& h) {
        return on_one_line(written_text(trained, lines[i], h));
      };
      if (!n_best) {
        say("{}\n", written(translations[i][0]));
      } else {
        for (const Hypothesis& h : translations[i]) say("{:.4f}\t{}\n", h.score, written(h));
        say("\n");
      }
    }
    flush_output();
  }
  if (std::cin.bad()) throw Error("standard input: cannot be read; is it a folder?");
  return 0;
}

namespace {

/// The files of an option, for check_apart().
std::vector<std::pair<std::string, std::string>> named(const char* option,
                                                       const std::vector<std::string>& paths) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const std::string& path : paths) result.emplace_back(option, path);
  return result;
}

/// " (13a, lower-cased)": how texts are compared, where it is not by the model's own tokens.
std::string manner(const Trained& trained, Tokenisation tokenisation) {
  if (tokenisation == Tokenisation::own) return "";
  return fmt::format(" ({}{})", name_among(tokenisations, tokenisation),
                     trained.target.lower_case() ? ", lower-cased" : "");
}

}  // namespace

int average_models(const std::vector<std::string>& models, const std::string& output) {
  check_apart("--output", output, named("--model", models));
  prepare_to_train(kind, output, "");
  Trained mean = average(models);
  save(output, mean);
  say("the mean of {} models is in {}\n", models.size(), output);
  return 0;
}

int evaluate_file(const std::vector<std::string>& models, const std::string& data,
                  const DecodeOptions& options, std::optional<Tokenisation> tokenisation,
                  const std::string& report) {
  if (!report.empty()) prepare_to_write(report);
  auto read = named("--model", models);
  read.emplace_back("--data", data);
  check_apart("--report", report, read);
  const Trained trained = load(models);
  const std::vector<Pair> pairs = read_with_warnings(data);
  const auto start = std::chrono::steady_clock::now();
  const Evaluation evaluation = evaluate(trained, pairs, options, tokenisation);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  say("{} pairs: loss {:.4f}, BLEU {:.2f}{}, chrF {:.2f}, exact match {:.2f} %, {:.0f} "
      "sentences/s\n",
      pairs.size(), evaluation.loss, evaluation.quality.bleu,
      manner(trained, tokenisation.value_or(usual_tokenisation(trained))), evaluation.quality.chrf,
      evaluation.quality.exact_match, static_cast<double>(pairs.size()) / seconds);
  write_report(report, json::array({end_json(data, evaluation, seconds)}));
  return 0;
}

int draw_attention(const std::string& model_path, const std::string& text, const std::string& svg) {
  if (!valid_utf8(text)) throw Error("attention: the sentence is not valid UTF-8");
  if (blank(text)) throw Error("attention: the sentence is empty");
  check_apart("--svg", svg, {{"--model", model_path}});
  const AttentionMap map = attention_map(load(model_path), text);
  say("{}", attention_text(map));
  if (!svg.empty()) write_file(svg, attention_svg(map));
  return 0;
}

}  // namespace gradus::translate
