#pragma once

#include <string>

#include "examples/translate/train.h"
#include "examples/translate/vocabularies.h"

/// The commands of the program. Each returns the exit status and throws a std::exception with a
/// message for the user.
namespace gradus::translate {

struct Files {
  std::string model, report;
  int64_t keep = 0;  // models of so many last epochs
};

struct Data {
  std::string train = {}, valid = {};
  TextOptions text = {};
};

/// Trains on the embedded corpus and shows the result.
int demonstrate(const ModelOptions& model, TrainOptions options, const Files& files);

/// Trains on files of sentence pairs.
int train_on_files(const Data& data, const ModelOptions& model, TrainOptions options,
                   const Files& files);

/// Translates lines from standard input to standard output, by one model or an ensemble.
int translate_text(const std::vector<std::string>& models, const DecodeOptions& options,
                   bool n_best);

/// Evaluates a model, or an ensemble, on a file of sentence pairs.
int evaluate_file(const std::vector<std::string>& models, const std::string& data,
                  const DecodeOptions& options, std::optional<Tokenisation> tokenisation,
                  const std::string& report);

/// Writes the mean of several models.
int average_models(const std::vector<std::string>& models, const std::string& output);

/// Draws the attention of the translation of `text`, also into the file `svg` if it is not empty.
int draw_attention(const std::string& model_path, const std::string& text, const std::string& svg);

}  // namespace gradus::translate
