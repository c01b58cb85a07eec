#include "examples/translate/train.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/files/replaceable.h"
#include "examples/training/memory.h"
#include "examples/training/output_files.h"
#include "examples/training/world.h"

namespace gradus::translate {

namespace {

uint64_t checksum_of(const std::vector<Pair>& pairs) {
  std::string text;
  for (const Pair& pair : pairs) text += pair.source + '\t' + pair.target + '\n';
  return checksum(text);
}

}  // namespace

std::string path_of_epoch(const std::string& model_path, int64_t epoch) {
  return path_beside(model_path, fmt::format(".epoch{}", epoch));
}

Evaluation evaluation_of(const EpochReport& epoch) {
  const Figures& f = epoch.figures;
  return {f.at(0), {f.at(1), f.at(2), f.at(3)}};
}

TranslationTask::TranslationTask(Trained& trained, const std::vector<Pair>& train_pairs,
                                 const std::vector<Pair>& valid, const TrainOptions& options,
                                 int64_t keep) {
  const double dropout = trained.model.options.subword_dropout;
  const auto encode_pairs = [&, dropout, size = options.batch_size, this](Generator* generator) {
    batches =
        make_batches(encode(train_pairs, trained.source, trained.target, dropout, generator), size);
  };
  if (dropout == 0) encode_pairs(nullptr);
  trim_memory();
  const std::string path = options.model_path;
  for (int64_t epoch = 1; keep > 0 && epoch <= options.epochs; ++epoch)
    check_replaceable(
        path_of_epoch(path, epoch), [](const std::string& file) { return is_model(file, kind); },
        fmt::format("a model of this {}", kind));
  task = {
      .about = describe(trained),
      .data = {{"training pairs", checksum_of(train_pairs)},
               {"validation pairs", checksum_of(valid)},
               {"source vocabulary", checksum(trained.source.to_json())},
               {"target vocabulary", checksum(trained.target.to_json())}},
      .begin_epoch = [this](Translator&, int64_t number) { epoch = number; },
      .batches =
          [dropout, encode_pairs, this](Generator& generator) {
            if (dropout > 0) encode_pairs(&generator);
            std::vector<Batch> order;
            for (const int64_t i : generator.permutation(std::ssize(batches)))
              order.push_back(batches[static_cast<size_t>(i)]);
            return order;
          },
      .loss =
          [](Translator& model, const Batch& batch, Generator* generator) {
            return BatchLoss{model.loss(batch, generator), batch.target_tokens};
          },
      .part = [](const Batch& batch, const Shard& shard) -> std::optional<Batch> {
        const int64_t rows = batch.target_out.size(0);
        if (shard.begin(rows) == shard.end(rows)) return std::nullopt;
        return rows_of(batch, shard.begin(rows), shard.end(rows));
      },
      .validate =
          [&, path, keep, this](Translator&) {
            if (keep > 0 && is_first_rank()) {
              save(path_of_epoch(path, epoch), trained);
              std::filesystem::remove(path_of_epoch(path, epoch - keep));
            }
            const auto [loss, quality] = evaluate(trained, valid);
            return Figures{loss, quality.bleu, quality.chrf, quality.exact_match};
          },
      .figures = figures,
      .better = higher(1),
  };
}

TrainReport train(Trained& trained, const std::vector<Pair>& train_pairs,
                  const std::vector<Pair>& valid, const TrainOptions& options,
                  terminal::Progress& progress, const std::function<bool()>& stop) {
  const TranslationTask of(trained, train_pairs, valid, options);
  return training::train(trained.model, of.task, options, progress, stop);
}

TrainReport train(Trained& trained, const std::vector<Pair>& train_pairs,
                  const std::vector<Pair>& valid, const TrainOptions& options, int64_t keep) {
  const TranslationTask of(trained, train_pairs, valid, options, keep);
  return training::train(trained.model, of.task, options);
}

}  // namespace gradus::translate
