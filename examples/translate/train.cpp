#include "examples/translate/train.h"

#include "examples/training/memory.h"

namespace gradus::translate {

namespace {

uint64_t checksum_of(const std::vector<Pair>& pairs) {
  std::string text;
  for (const Pair& pair : pairs) text += pair.source + '\t' + pair.target + '\n';
  return checksum(text);
}

}  // namespace

Evaluation evaluation_of(const EpochReport& epoch) {
  const Figures& f = epoch.figures;
  return {f.at(0), {f.at(1), f.at(2), f.at(3)}};
}

TranslationTask::TranslationTask(Trained& trained, const std::vector<Pair>& train_pairs,
                                 const std::vector<Pair>& valid, const TrainOptions& options)
    : batches(
          make_batches(encode(train_pairs, trained.source, trained.target), options.batch_size)) {
  trim_memory();
  task = {
      .about = describe(trained),
      .data = {{"training pairs", checksum_of(train_pairs)},
               {"validation pairs", checksum_of(valid)},
               {"source vocabulary", checksum(trained.source.to_json())},
               {"target vocabulary", checksum(trained.target.to_json())}},
      .batches =
          [this](Generator& generator) {
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
          [&](Translator&) {
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
                  const std::vector<Pair>& valid, const TrainOptions& options) {
  const TranslationTask of(trained, train_pairs, valid, options);
  return training::train(trained.model, of.task, options);
}

}  // namespace gradus::translate
