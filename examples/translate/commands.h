#pragma once

#include <string>

#include "examples/translate/train.h"

/// What the program does, a function per command. Each returns the exit status and throws a
/// std::exception that says to the user what went wrong.
namespace gradus::translate {

struct Files {
  std::string model, report;
};

struct Data {
  std::string train = {}, valid = {};
  std::string source_unit = "auto", target_unit = "auto";
  int64_t max_source = 100, max_target = 100;  // 0: no limit
  int64_t min_count = 2;
};

/// Trains on the embedded corpus and shows what came of it.
int demonstrate(const ModelOptions& model, TrainOptions options, const Files& files);

/// Trains on files of sentence pairs.
int train_on_files(const Data& data, const ModelOptions& model, TrainOptions options,
                   const Files& files);

/// Lines from standard input, their translations to standard output.
int translate_text(const std::string& model_path, const DecodeOptions& options, bool n_best);

/// Judges a model by a file of sentence pairs.
int evaluate_file(const std::string& model_path, const std::string& data,
                  const DecodeOptions& options, const std::string& report);

/// Draws what the translation of `text` looked at, and into `svg` if that is not empty.
int draw_attention(const std::string& model_path, const std::string& text, const std::string& svg);

/// Passes on what was printed. Throws Error when it cannot be written.
void flush_output();

}  // namespace gradus::translate
