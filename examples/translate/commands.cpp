#include "examples/translate/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/files/atomic_file.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"
#include "examples/terminal/draw.h"
#include "examples/translate/corpus.h"

namespace gradus::translate {

using namespace terminal;
using nlohmann::json;

namespace {

volatile std::sig_atomic_t interrupts = 0;

/// The first Ctrl-C asks training to save and stop; a second one ends the program at once.
void on_interrupt(int) {
  interrupts = interrupts + 1;
  if (interrupts > 1) _exit(130);
}

Unit chosen_unit(const std::string& name, const std::vector<Pair>& pairs, std::string Pair::*side) {
  if (name == "words") return Unit::words;
  if (name == "characters") return Unit::characters;
  std::vector<std::string> texts;
  for (const Pair& pair : pairs) texts.push_back(pair.*side);
  return unit_of(texts);
}

Vocabulary make_vocabulary(const std::vector<Pair>& pairs, std::string Pair::*side, Unit unit,
                           int64_t min_count) {
  Sentences sentences;
  for (const Pair& pair : pairs) sentences.push_back(tokens(pair.*side, unit));
  return Vocabulary(sentences, unit, min_count);
}

Trained untrained(const std::vector<Pair>& pairs, const Data& data, const ModelOptions& options,
                  uint64_t seed) {
  auto vocabulary = [&](const char* name, const std::string& unit, std::string Pair::*side) {
    try {
      return make_vocabulary(pairs, side, chosen_unit(unit, pairs, side), data.min_count);
    } catch (const std::invalid_argument& error) {
      throw Error(fmt::format("{}: {} {} (--min-count)", data.train, name, error.what()));
    }
  };
  Vocabulary source = vocabulary("source", data.source_unit, &Pair::source);
  Vocabulary target = vocabulary("target", data.target_unit, &Pair::target);
  Generator generator(seed);
  Translator model(source.size(), target.size(), options, generator);
  return {std::move(source), std::move(target), std::move(model)};
}

std::vector<Pair> read_with_warnings(const std::string& path) {
  ReadPairs read = read_pairs(path);
  for (const std::string& warning : read.warnings) fmt::print(stderr, "{}\n", warning);
  return std::move(read.pairs);
}

/// One entry per epoch, and one for the end.
json report_json(const TrainReport& report, json end) {
  json list = json::array();
  for (const EpochReport& e : report.epochs)
    list.push_back({{"epoch", e.epoch},
                    {"loss", e.train_loss},
                    {"valid_loss", e.valid.loss},
                    {"bleu", e.valid.quality.bleu},
                    {"chrf", e.valid.quality.chrf},
                    {"exact_match", e.valid.quality.exact_match},
                    {"tokens_per_second", e.tokens_per_second},
                    {"seconds", e.seconds},
                    {"peak_memory_mib", e.peak_memory_mib}});
  list.push_back(std::move(end));
  return list;
}

json end_json(const char* judged_on, const TrainReport& report, const Evaluation& evaluation,
              double seconds) {
  const EpochReport& best = report.epochs.at(static_cast<size_t>(report.best));
  double tokens_per_second = 0;
  for (const EpochReport& e : report.epochs)
    tokens_per_second += e.tokens_per_second / static_cast<double>(report.epochs.size());
  return {{"judged_on", judged_on},
          {"best_epoch", best.epoch},
          {"loss", best.train_loss},
          {"valid_loss", evaluation.loss},
          {"bleu", evaluation.quality.bleu},
          {"chrf", evaluation.quality.chrf},
          {"exact_match", evaluation.quality.exact_match},
          {"tokens_per_second", tokens_per_second},
          {"seconds", seconds},
          {"peak_memory_mib", peak_memory_mib()},
          {"threads", threads()}};
}

void write_report(const std::string& path, const json& report) {
  if (!path.empty()) write_file(path, report.dump(2) + "\n");
}

std::vector<Curve> curves_of(const TrainReport& report) {
  Curve training{"training", {}}, validation{"validation", {}};
  for (const EpochReport& e : report.epochs) {
    training.values.push_back(e.train_loss);
    validation.values.push_back(e.valid.loss);
  }
  return {training, validation};
}

AttentionMap attention_map(const Trained& trained, const std::string& text) {
  DecodeOptions options;
  options.attention = true;
  const Hypothesis best = translate_texts(trained, {text}, options)[0][0];
  AttentionMap map{tokens(text, trained.source.unit()), trained.target.decode(best.ids),
                   best.attention};
  map.weights.resize(map.target.size());  // without the row of <eos>
  return map;
}

/// Says how to continue an interrupted run; returns the exit status.
int interrupted(const std::string& model) {
  fmt::print(stderr,
             "stopped; the state is in {}.checkpoint: the same command with --resume continues\n",
             model);
  return 130;
}

/// Trains until it is done or interrupted; the progress line is finished when this returns.
TrainReport train_in_view(Trained& trained, const std::vector<Pair>& pairs,
                          const std::vector<Pair>& valid, const TrainOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // training continues when the reader of its progress exits
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  Progress progress(stdout);
  return train(trained, pairs, valid, options, progress, [] { return interrupts > 0; });
}

/// Makes the folder of `path` and checks that `path` can be written, before training starts.
void prepare_to_write(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::absolute(path).parent_path();
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw Error(fmt::format("{}: cannot make its folder ({})", path, error.message()));
  if (fs::is_directory(path)) throw Error(fmt::format("{}: is a folder; expected a file", path));
  const bool is_device = fs::exists(path) && !fs::is_regular_file(path);
  if (access(is_device ? path.c_str() : folder.c_str(), W_OK) != 0)
    throw Error(fmt::format("{}: cannot be written ({}); choose another place", path,
                            std::strerror(errno)));
}

void prepare_to_write(const Files& files) {
  prepare_to_write(files.model);
  if (!files.report.empty()) prepare_to_write(files.report);
}

}  // namespace

void flush_output() {
  if (std::fflush(stdout) != 0)
    throw Error(fmt::format("standard output: cannot be written ({})", std::strerror(errno)));
}

int demonstrate(const ModelOptions& model, TrainOptions options, const Files& files) {
  const auto start = std::chrono::steady_clock::now();
  prepare_to_write(files);
  const Corpus corpus = embedded_corpus();
  Trained trained = untrained(corpus.train, {.min_count = 1}, model, options.seed);
  fmt::print("{} training pairs, {} validation pairs, {} held-out pairs\n", corpus.train.size(),
             corpus.valid.size(), corpus.test.size());
  fmt::print("{} parameters, {} English words, {} Chinese characters, {} threads\n",
             parameter_count(trained.model), trained.source.size(), trained.target.size(),
             threads());
  std::fflush(stdout);
  options.model_path = files.model;
  const TrainReport report = train_in_view(trained, corpus.train, corpus.valid, options);
  if (report.interrupted) return interrupted(files.model);

  const Evaluation held_out = evaluate(trained, corpus.test);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_report(files.report,
               report_json(report, end_json("held-out sentences", report, held_out, seconds)));
  fmt::print("\nheld-out sentences: BLEU {:.2f}, exact match {:.1f} %, after {}\n\n",
             held_out.quality.bleu, held_out.quality.exact_match, format_duration(seconds));
  std::vector<std::string> texts;
  constexpr size_t shown = 10;
  const size_t step = corpus.test.size() / shown;
  for (size_t i = 0; i < shown; ++i) texts.push_back(corpus.test[i * step].source);
  const auto translations = translate_texts(trained, texts);
  const auto longest = std::ranges::max_element(texts, {}, &std::string::size);
  const AttentionMap map = attention_map(trained, *longest);
  const std::filesystem::path folder = std::filesystem::path(files.model).parent_path();
  const std::string map_path = (folder / "attention.svg").string();
  const std::string curve_path = (folder / "loss.svg").string();
  write_file(map_path, attention_svg(map));
  write_file(curve_path, curve_svg("Loss per epoch", "epoch", "nats a token", curves_of(report)));

  for (size_t i = 0; i < shown; ++i) {
    const std::string ours = trained.target.decode_text(translations[i][0].ids);
    const std::string& reference = corpus.test[i * step].target;
    fmt::print("  {}\n  {}\n", texts[i], ours);
    fmt::print("{}\n", ours == reference ? "  = reference\n" : "  ≠ " + reference + "\n");
  }
  fmt::print("{}\n", curve_text("loss per epoch (nats a token)", curves_of(report)));
  fmt::print("{}\n", attention_text(map));
  fmt::print("the model is in {}, the pictures are in {} and {}\n", files.model, map_path,
             curve_path);
  return 0;
}

int train_on_files(const Data& data, const ModelOptions& model, TrainOptions options,
                   const Files& files) {
  const auto start = std::chrono::steady_clock::now();
  prepare_to_write(files);
  std::vector<Pair> pairs = read_with_warnings(data.train);
  const std::vector<Pair> valid = read_with_warnings(data.valid);
  constexpr int64_t no_limit = INT64_MAX;
  const int64_t long_ones = remove_long(pairs, chosen_unit(data.source_unit, pairs, &Pair::source),
                                        chosen_unit(data.target_unit, pairs, &Pair::target),
                                        data.max_source > 0 ? data.max_source : no_limit,
                                        data.max_target > 0 ? data.max_target : no_limit);
  if (pairs.empty())
    throw Error(fmt::format("{}: no pair is within --max-source {} and --max-target {}; raise them",
                            data.train, data.max_source, data.max_target));
  if (long_ones > 0)
    fmt::print(stderr, "{}: skipped {} pair{} longer than --max-source {} or --max-target {}\n",
               data.train, long_ones, long_ones == 1 ? "" : "s", data.max_source, data.max_target);
  Trained trained = untrained(pairs, data, model, options.seed);
  fmt::print(
      "{} training pairs, {} validation pairs; {} parameters, vocabularies of {} and {}, "
      "{} threads\n",
      pairs.size(), valid.size(), parameter_count(trained.model), trained.source.size(),
      trained.target.size(), threads());
  std::fflush(stdout);
  options.model_path = files.model;
  const TrainReport report = train_in_view(trained, pairs, valid, options);
  if (report.interrupted) return interrupted(files.model);
  if (report.best < 0) throw Error("train: expected at least one epoch, got none");
  const EpochReport& best = report.epochs[static_cast<size_t>(report.best)];
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_report(files.report,
               report_json(report, end_json(data.valid.c_str(), report, best.valid, seconds)));
  fmt::print(
      "best epoch {}: valid loss {:.4f}, BLEU {:.2f}, chrF {:.2f}, exact match {:.2f} %; "
      "the model is in {}\n",
      best.epoch, best.valid.loss, best.valid.quality.bleu, best.valid.quality.chrf,
      best.valid.quality.exact_match, files.model);
  return 0;
}

// Whole batches of lines from a file or a pipe, single lines from a terminal.
int translate_text(const std::string& model_path, const DecodeOptions& options, bool n_best) {
  const Trained trained = load(model_path);
  const size_t batch = isatty(STDIN_FILENO) ? 1 : 64;
  std::ios::sync_with_stdio(false);
  std::vector<std::string> lines;
  int64_t line_number = 0;
  bool more = true;
  while (more) {
    lines.clear();
    std::string line;
    while (lines.size() < batch && (more = static_cast<bool>(std::getline(std::cin, line)))) {
      ++line_number;
      if (line_number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
      if (line.ends_with('\r')) line.pop_back();
      if (!valid_utf8(line)) {
        fmt::print(stderr, "line {}: invalid UTF-8, translated as an empty line\n", line_number);
        line.clear();
      }
      lines.push_back(line);
      if (std::cin.rdbuf()->in_avail() <= 0) break;
    }
    for (const auto& hypotheses : translate_texts(trained, lines, options)) {
      if (!n_best) {
        fmt::print("{}\n", trained.target.decode_text(hypotheses[0].ids));
      } else {
        for (const Hypothesis& h : hypotheses)
          fmt::print("{:.4f}\t{}\n", h.score, trained.target.decode_text(h.ids));
        fmt::print("\n");
      }
    }
    flush_output();
  }
  if (std::cin.bad()) throw Error("standard input: cannot be read; is it a folder?");
  return 0;
}

int evaluate_file(const std::string& model_path, const std::string& data,
                  const DecodeOptions& options, const std::string& report) {
  const Trained trained = load(model_path);
  const std::vector<Pair> pairs = read_with_warnings(data);
  const auto start = std::chrono::steady_clock::now();
  const Evaluation evaluation = evaluate(trained, pairs, options);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print(
      "{} pairs: loss {:.4f}, BLEU {:.2f}, chrF {:.2f}, exact match {:.2f} %, {:.0f} "
      "sentences/s\n",
      pairs.size(), evaluation.loss, evaluation.quality.bleu, evaluation.quality.chrf,
      evaluation.quality.exact_match, static_cast<double>(pairs.size()) / seconds);
  write_report(report, json::array({{{"judged_on", data},
                                     {"valid_loss", evaluation.loss},
                                     {"bleu", evaluation.quality.bleu},
                                     {"chrf", evaluation.quality.chrf},
                                     {"exact_match", evaluation.quality.exact_match},
                                     {"seconds", seconds}}}));
  return 0;
}

int draw_attention(const std::string& model_path, const std::string& text, const std::string& svg) {
  if (!valid_utf8(text)) throw Error("attention: the sentence is not valid UTF-8");
  if (blank(text)) throw Error("attention: the sentence is empty");
  const AttentionMap map = attention_map(load(model_path), text);
  fmt::print("{}", attention_text(map));
  if (!svg.empty()) write_file(svg, attention_svg(map));
  return 0;
}

}  // namespace gradus::translate
