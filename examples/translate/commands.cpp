#include "examples/translate/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/files/atomic_file.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"
#include "examples/terminal/draw.h"
#include "examples/terminal/output.h"
#include "examples/translate/corpus.h"

namespace gradus::translate {

using namespace terminal;
using nlohmann::json;

namespace {

template <class... T>
void say(fmt::format_string<T...> text, T&&... values) {
  print(fmt::format(text, std::forward<T>(values)...));
}

volatile std::sig_atomic_t interrupts = 0;

/// The first signal asks training to save and stop. A second Ctrl-C ends the program at once; other
/// signals may come in pairs (a terminal that is closed sends SIGHUP, and so does its shell).
void on_interrupt(int signal) {
  if (interrupts > 0 && signal == SIGINT) _exit(130);
  interrupts = interrupts + 1;
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

/// Refuses, in words and before memory is taken, what this computer cannot train.
void check_memory(int64_t source_tokens, int64_t target_tokens, const ModelOptions& options) {
  const int64_t count = planned_parameter_count(source_tokens, target_tokens, options);
  constexpr double gibi = 1 << 30, copies = 4;  // values, gradients, Adam's two moments
  const double needed = static_cast<double>(count) * sizeof(float) * copies / gibi;
  const double there = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                       static_cast<double>(sysconf(_SC_PAGESIZE)) / gibi;
  if (needed > there)
    throw Error(
        fmt::format("a model of --hidden {}, --embedding {} and --layers {} has {} parameters, "
                    "which need {:.1f} "
                    "GiB in training; this computer has {:.1f}; choose smaller ones",
                    options.hidden, options.embedding, options.layers,
                    format_count(static_cast<double>(count)), needed, there));
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
  check_memory(source.size(), target.size(), options);
  Generator generator(seed);
  Translator model(source.size(), target.size(), options, generator);
  return {std::move(source), std::move(target), std::move(model)};
}

std::vector<Pair> read_with_warnings(const std::string& path) {
  ReadPairs read = read_pairs(path);
  for (const std::string& warning : read.warnings) message(warning);
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
  message(fmt::format(
      "stopped; the state is in {}.checkpoint: the same command with --resume continues", model));
  return 130;
}

/// Trains until it is done or interrupted; the progress line is finished when this returns.
TrainReport train_in_view(Trained& trained, const std::vector<Pair>& pairs,
                          const std::vector<Pair>& valid, const TrainOptions& options) {
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  if (std::signal(SIGHUP, on_interrupt) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);  // nohup
  Progress progress(stdout);
  return train(trained, pairs, valid, options, progress, [] { return interrupts > 0; });
}

namespace fs = std::filesystem;

/// Makes the folder of `path` and checks that `path` can be written, before the work starts.
void prepare_to_write(const std::string& path) {
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

/// Nothing is written over a file that was not made for it: only over an empty one and over those
/// that are `ours`.
void check_replaceable(const std::string& path, bool (*ours)(const std::string&),
                       const char* what) {
  if (!fs::exists(path)) return;
  if (!fs::is_regular_file(path))
    throw Error(fmt::format("{}: is not a file; expected a place for {}", path, what));
  if (fs::file_size(path) > 0 && !ours(path))
    throw Error(fmt::format(
        "{}: holds something else than {} and stays as it is; move it away, or choose another "
        "place",
        path, what));
}

bool is_picture(const std::string& path) {
  constexpr std::string_view ours = R"(<svg xmlns="http://www.w3.org/2000/svg" role="img" width=")";
  std::string beginning(ours.size(), '\0');
  std::ifstream(path, std::ios::binary).read(beginning.data(), std::ssize(beginning));
  return beginning == ours;
}

/// A file that the program writes must not be one that it reads or writes elsewise.
void check_apart(const std::string& option, const std::string& path,
                 const std::vector<std::pair<std::string, std::string>>& others) {
  std::error_code missing;
  for (const auto& [other, its] : others)
    if (!path.empty() && !its.empty() &&
        (path == its || (fs::is_regular_file(path, missing) && fs::equivalent(path, its, missing))))
      throw Error(fmt::format("{} {}: is the same file as {} {}; choose another place", option,
                              path, other, its));
}

void prepare_to_write(const Files& files, const Data& data = {}) {
  const std::string checkpoint = files.model + ".checkpoint";
  prepare_to_write(files.model);
  check_replaceable(files.model, is_model, "a model of this translator");
  check_replaceable(checkpoint, is_model, "a checkpoint of this translator");
  if (files.report.empty()) return;
  prepare_to_write(files.report);
  check_apart("--report", files.report,
              {{"--model", files.model},
               {"the checkpoint", checkpoint},
               {"--train", data.train},
               {"--valid", data.valid}});
}

std::string beside(const std::string& model, const char* name) {
  return (fs::path(model).parent_path() / name).string();
}

}  // namespace

int demonstrate(const ModelOptions& model, TrainOptions options, const Files& files) {
  const auto start = std::chrono::steady_clock::now();
  prepare_to_write(files);
  const std::string map_path = beside(files.model, "attention.svg");
  const std::string curve_path = beside(files.model, "loss.svg");
  for (const std::string& path : {map_path, curve_path})
    check_replaceable(path, is_picture, "a picture of this program");
  const Corpus corpus = embedded_corpus();
  Trained trained = untrained(corpus.train, {.min_count = 1}, model, options.seed);
  say("{} training pairs, {} validation pairs, {} held-out pairs\n", corpus.train.size(),
      corpus.valid.size(), corpus.test.size());
  say("{} parameters, {} English words, {} Chinese characters, {} threads\n",
      parameter_count(trained.model), trained.source.size(), trained.target.size(), threads());
  std::fflush(stdout);
  options.model_path = files.model;
  const TrainReport report = train_in_view(trained, corpus.train, corpus.valid, options);
  if (report.interrupted) return interrupted(files.model);

  const Evaluation held_out = evaluate(trained, corpus.test);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_report(files.report,
               report_json(report, end_json("held-out sentences", report, held_out, seconds)));
  say("\nheld-out sentences: BLEU {:.2f}, exact match {:.1f} %, after {}\n\n",
      held_out.quality.bleu, held_out.quality.exact_match, format_duration(seconds));
  std::vector<std::string> texts;
  constexpr size_t shown = 10;
  const size_t step = corpus.test.size() / shown;
  for (size_t i = 0; i < shown; ++i) texts.push_back(corpus.test[i * step].source);
  const auto translations = translate_texts(trained, texts);
  const auto longest = std::ranges::max_element(texts, {}, &std::string::size);
  const AttentionMap map = attention_map(trained, *longest);
  write_file(map_path, attention_svg(map));
  write_file(curve_path, curve_svg("Loss per epoch", "epoch", "nats a token", curves_of(report)));

  for (size_t i = 0; i < shown; ++i) {
    const std::string ours = trained.target.decode_text(translations[i][0].ids);
    const std::string& reference = corpus.test[i * step].target;
    say("  {}\n  {}\n", texts[i], ours);
    say("{}\n", ours == reference ? "  = reference\n" : "  ≠ " + reference + "\n");
  }
  say("{}\n", curve_text("loss per epoch (nats a token)", curves_of(report)));
  say("{}\n", attention_text(map));
  say("the model is in {}, the pictures are in {} and {}\n", files.model, map_path, curve_path);
  return 0;
}

int train_on_files(const Data& data, const ModelOptions& model, TrainOptions options,
                   const Files& files) {
  const auto start = std::chrono::steady_clock::now();
  prepare_to_write(files, data);
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
    message(fmt::format("{}: skipped {} pair{} longer than --max-source {} or --max-target {}",
                        data.train, long_ones, long_ones == 1 ? "" : "s", data.max_source,
                        data.max_target));
  Trained trained = untrained(pairs, data, model, options.seed);
  say("{} training pairs, {} validation pairs; {} parameters, vocabularies of {} and {}, "
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
  say("best epoch {}: valid loss {:.4f}, BLEU {:.2f}, chrF {:.2f}, exact match {:.2f} %; "
      "the model is in {}\n",
      best.epoch, best.valid.loss, best.valid.quality.bleu, best.valid.quality.chrf,
      best.valid.quality.exact_match, files.model);
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
int translate_text(const std::string& model_path, const DecodeOptions& options, bool n_best) {
  const Trained trained = load(model_path);
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
    for (const auto& hypotheses : translate_texts(trained, lines, options)) {
      if (!n_best) {
        say("{}\n", on_one_line(trained.target.decode_text(hypotheses[0].ids)));
      } else {
        for (const Hypothesis& h : hypotheses)
          say("{:.4f}\t{}\n", h.score, on_one_line(trained.target.decode_text(h.ids)));
        say("\n");
      }
    }
    flush_output();
  }
  if (std::cin.bad()) throw Error("standard input: cannot be read; is it a folder?");
  return 0;
}

int evaluate_file(const std::string& model_path, const std::string& data,
                  const DecodeOptions& options, const std::string& report) {
  if (!report.empty()) prepare_to_write(report);
  check_apart("--report", report, {{"--model", model_path}, {"--data", data}});
  const Trained trained = load(model_path);
  const std::vector<Pair> pairs = read_with_warnings(data);
  const auto start = std::chrono::steady_clock::now();
  const Evaluation evaluation = evaluate(trained, pairs, options);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  say("{} pairs: loss {:.4f}, BLEU {:.2f}, chrF {:.2f}, exact match {:.2f} %, {:.0f} "
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
  check_apart("--svg", svg, {{"--model", model_path}});
  const AttentionMap map = attention_map(load(model_path), text);
  say("{}", attention_text(map));
  if (!svg.empty()) write_file(svg, attention_svg(map));
  return 0;
}

}  // namespace gradus::translate
