#pragma once

#include <string>

#include "examples/translate/train.h"

/// The commands of the program. Each returns the exit status and throws a std::exception with a
/// message for the user.
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

/// Trains on the embedded corpus and shows the result.
int demonstrate(const ModelOptions& model, TrainOptions options, const Files& files);

/// Trains on files of sentence pairs.
int train_on_files(const Data& data, const ModelOptions& model, TrainOptions options,
                   const Files& files);

/// Translates lines from standard input to standard output.
int translate_text(const std::string& model_path, const DecodeOptions& options, bool n_best);

/// Evaluates a model on a file of sentence pairs.
int evaluate_file(const std::string& model_path, const std::string& data,
                  const DecodeOptions& options, const std::string& report);

/// Draws the attention of the translation of `text`, also into the file `svg` if it is not empty.
int draw_attention(const std::string& model_path, const std::string& text, const std::string& svg);

}  // namespace gradus::translate
