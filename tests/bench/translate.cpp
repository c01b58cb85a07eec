#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/core.h"
#include "core/tensor/processor.h"
#include "core/tensor/threads.h"
#include "core/trace/trace.h"
#include "examples/training/memory.h"
#include "examples/translate/trained.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "tests/bench/peak.h"
#include "tests/bench/products.h"

/// Times the translator's training step, its decoding and its start; prints one line of JSON.
namespace gradus::bench {

using namespace gradus::translate;
using nlohmann::json;

namespace {

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> v) {
  std::ranges::sort(v);
  return v.empty() ? 0 : (v[(v.size() - 1) / 2] + v[v.size() / 2]) / 2;
}

struct Options {
  std::string data, valid;
  std::vector<int64_t> order, beams{1};
  int64_t batch = 64, steps = 80, warmup = 20, longest = 60, length = 10;
  int64_t vocabulary = 2000;
  int threads = 1;
  bool floor = false, record = false, only_machine = false;
  ModelOptions model;
};

/// Pairs of at most 12 words and 16 characters, tokens seen less than twice being <unk>.
struct Data {
  std::vector<Batch> batches;
  Vocabulary source, target;

  static Data read(const Options& options) {
    std::vector<Pair> pairs = read_pairs(options.data).pairs;
    remove_long(pairs, Unit::words, Unit::characters, 12, 16);
    auto vocabulary = [&](Unit unit, std::string Pair::*side) {
      std::vector<std::vector<std::string>> sentences;
      for (const Pair& pair : pairs) sentences.push_back(tokens(pair.*side, unit));
      return Vocabulary(sentences, unit);
    };
    Vocabulary source = vocabulary(Unit::words, &Pair::source);
    Vocabulary target = vocabulary(Unit::characters, &Pair::target);
    return {make_batches(encode(pairs, source, target), options.batch), source, target};
  }
};

/// A model in training as examples/training/train.cpp trains it.
class Training {
 public:
  Training(int64_t source_tokens, int64_t target_tokens, const ModelOptions& options)
      : classes(target_tokens),
        model_(source_tokens, target_tokens, options, generator_),
        weights_(parameters(model_)),
        adam_(weights_, {.learning_rate = 1e-3}) {}

  double step(const Batch& batch, bool record = false) {
    adam_.zero_grad();
    std::optional<Trace::Recording> recording;
    if (record) recording.emplace(trace_, layer_names(model_));
    const Tensor loss = model_.loss(batch, &generator_);
    (loss / static_cast<double>(batch.target_tokens)).backward();
    recording.reset();
    clip_gradients(weights_, 5);
    adam_.step();
    return loss.item();
  }

  const Translator& model() const { return model_; }

  const int64_t classes;

 private:
  Generator generator_{1};
  Translator model_;
  std::vector<Tensor> weights_;
  Adam adam_;
  Trace trace_;
};

/// With <eos>.
std::vector<int64_t> target_lengths(const Batch& batch) {
  std::vector<int64_t> lengths;
  const std::vector<int64_t> ids = batch.target_out.to_vector<int64_t>();
  const auto time = batch.target_out.size(1);
  for (auto row = ids.begin(); row != ids.end(); row += time)
    lengths.push_back(std::count_if(row, row + time, [](auto id) { return id != pad_id; }));
  return lengths;
}

StepShape shape_of(const Batch& batch, const Translator& model) {
  const std::span<const int64_t> lengths = batch.source.mask.lengths();
  StepShape shape{{lengths.begin(), lengths.end()},
                  {},
                  model.options.embedding,
                  model.options.hidden,
                  std::get<translate::LSTMModel>(model.model).output.weight.size(0),
                  model.options.input_feeding};
  shape.targets = target_lengths(batch);
  return shape;
}

/// The floating-point operations of a Transformer's training step: three products of each size,
/// without padding. Per token and layer the four projections of an attention layer (of which a
/// decoder's keys and values belong to the source) and the two layers between, scores and sums of
/// values.
double transformer_gflop(const Batch& batch, const ModelOptions& model, int64_t classes) {
  double multiplications = 0;
  const auto size = static_cast<double>(model.hidden), layers = static_cast<double>(model.layers);
  const std::span<const int64_t> sources = batch.source.mask.lengths();
  const std::vector<int64_t> targets = target_lengths(batch);
  for (size_t i = 0; i < targets.size(); ++i) {
    const auto s = static_cast<double>(sources[i]), t = static_cast<double>(targets[i]);
    multiplications += layers * size * size * (14 * s + 14 * t) +
                       layers * size * (2 * s * s + t * t + 2 * s * t) +
                       t * size * static_cast<double>(classes);
  }
  return 3 * 2 * multiplications / 1e9;
}

/// Steps over `batches`, and afterwards the products of the same steps alone.
json time_steps(Training& training, const std::vector<const Batch*>& batches,
                const Options& options) {
  const bool is_transformer = options.model.architecture == Architecture::transformer;
  std::vector<double> steps, products, gflop;
  double tokens = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    const double seconds = seconds_of([&] { training.step(*batches[i], options.record); });
    if (static_cast<int64_t>(i) < options.warmup) continue;
    steps.push_back(seconds);
    tokens += static_cast<double>(batches[i]->target_tokens);
  }
  const double peak = peak_memory_mib();
  if (options.floor)
    for (size_t i = static_cast<size_t>(options.warmup); i < batches.size(); ++i) {
      if (is_transformer) {
        gflop.push_back(transformer_gflop(*batches[i], options.model, training.classes));
        continue;
      }
      const ProductsTime time =
          time_products(shape_of(*batches[i], training.model()), options.threads);
      products.push_back(time.seconds);
      gflop.push_back(time.gflop);
    }
  const double peak_seconds = median(gflop) / (peak_gflops() * options.threads);
  return {{"ms", 1e3 * median(steps)},
          {"tokens_per_s", tokens / std::accumulate(steps.begin(), steps.end(), 0.0)},
          {"floor_ms", products.empty() ? json() : json(1e3 * median(products))},
          {"peak_floor_ms", options.floor ? json(1e3 * peak_seconds) : json()},
          {"floor_gflop", median(gflop)},
          {"peak_memory_mib", peak}};
}

json steps_on_data(const Options& options) {
  std::optional<Data> data;
  const double reading = seconds_of([&] {
    data = Data::read(options);
    trim_memory();
  });
  Training training(data->source.size(), data->target.size(), options.model);
  std::vector<int64_t> order = options.order;
  if (order.empty()) order = Generator(1).permutation(std::ssize(data->batches));
  std::vector<const Batch*> batches;
  for (int64_t i = 0; i < options.steps; ++i)
    batches.push_back(
        &data->batches.at(static_cast<size_t>(order[static_cast<size_t>(i) % order.size()])));
  json result = time_steps(training, batches, options);
  result["reading_s"] = reading;
  return result;
}

/// Sentences of one length, of tokens drawn evenly.
json steps_on_one_shape(const Options& options) {
  Generator generator(1);
  std::vector<Example> examples(static_cast<size_t>(options.batch));
  for (Example& example : examples)
    for (auto* side : {&example.source, &example.target})
      for (int64_t t = 0; t < options.length; ++t)
        side->push_back(unk_id + 1 + generator.below(options.vocabulary - unk_id - 1));
  const Batch batch = make_batch(examples);
  Training training(options.vocabulary, options.vocabulary, options.model);
  return time_steps(training, {static_cast<size_t>(options.steps), &batch}, options);
}

/// Trains briefly, so that sentences end, and translates `valid` with each width of the beam.
json decoding(const Options& options) {
  Data data = Data::read(options);
  Training training(data.source.size(), data.target.size(), options.model);
  const auto order = Generator(1).permutation(std::ssize(data.batches));
  for (int64_t i = 0; i < options.steps; ++i)
    training.step(data.batches[static_cast<size_t>(order[static_cast<size_t>(i) % order.size()])]);
  std::vector<std::string> texts;
  for (Pair& pair : read_pairs(options.valid).pairs) texts.push_back(std::move(pair.source));
  const Trained trained{data.source, data.target, training.model()};
  json result;
  for (const int64_t beam : options.beams) {
    size_t length = 0;
    const double seconds = seconds_of([&] {
      for (const auto& best :
           translate_texts(trained, texts, {.beam = beam, .longest = options.longest}))
        length += best[0].ids.size();
    });
    const auto count = static_cast<double>(texts.size());
    result[std::to_string(beam)] = {{"sentences_per_s", count / seconds},
                                    {"mean_length", static_cast<double>(length) / count}};
  }
  return result;
}

json time_of_products(const Options& options) {
  json result = {{"kernels", kernels()},
                 {"openblas", openblas_processor()},
                 {"peak_gflops", peak_gflops()},
                 {"shapes", json::array()}};
  if (options.only_machine) return result;
  for (const ProductShape& shape : product_shapes()) {
    const ProductTimes times = time_product(shape, options.threads);
    const double gflop = 2e-9 * static_cast<double>(shape.rows * shape.columns * shape.inner),
                 peak = peak_gflops() * options.threads;
    result["shapes"].push_back(
        {{"name", shape.name},
         {"ms", 1e3 * times.own},
         {"openblas_ms", 1e3 * times.openblas},
         {"peak_floor_ms", 1e3 * gflop / peak},
         {"gflops", gflop / times.own},
         {"of_peak", gflop / times.own / peak},
         {"weight_gb_per_s", 4e-9 * static_cast<double>(shape.columns * shape.inner) / times.own}});
  }
  return result;
}

int run(int argc, char** argv) {
  CLI::App app("Times the translator; prints JSON. For tests/bench/bench.py.");
  app.require_subcommand(1);
  Options options;
  bool no_input_feeding = false, transformer = false;
  app.add_option("--threads", options.threads);
  app.add_option("--batch", options.batch);
  app.add_option("--embedding", options.model.embedding);
  app.add_option("--hidden", options.model.hidden);
  app.add_option("--steps", options.steps, "in all");
  app.add_option("--warmup", options.warmup, "first steps that are not timed");
  app.add_flag("--no-input-feeding", no_input_feeding, "variant a");
  app.add_flag("--transformer", transformer, "4 heads, 2 + 2 layers, dropout and smoothing 0.1");
  app.add_flag("--floor", options.floor, "time the matrix products alone, too");
  app.add_flag("--record", options.record, "let a trace record the steps");

  CLI::App* count = app.add_subcommand("count", "The number of batches")->fallthrough();
  CLI::App* step = app.add_subcommand("step", "Training steps on data")->fallthrough();
  CLI::App* shape = app.add_subcommand("shape", "Training steps of one shape")->fallthrough();
  CLI::App* decode = app.add_subcommand("decode", "Translating")->fallthrough();
  CLI::App* products = app.add_subcommand("products", "Matrix products")->fallthrough();
  for (CLI::App* command : {count, step, decode})
    command->add_option("--data", options.data)->required();
  step->add_option("--order", options.order, "numbers of batches")->delimiter(',');
  shape->add_option("--length", options.length, "tokens per sentence");
  shape->add_option("--vocabulary", options.vocabulary);
  decode->add_option("--valid", options.valid, "what to translate")->required();
  decode->add_option("--beams", options.beams)->delimiter(',');
  decode->add_option("--longest", options.longest);
  products->add_flag("--only-machine", options.only_machine, "the peak, and whose kernels run");
  CLI11_PARSE(app, argc, argv);

  options.model.input_feeding = !no_input_feeding;
  if (transformer) {
    options.model.architecture = Architecture::transformer;
    options.model.attention = AttentionKind::multi_head;
    options.model.layers = 2;
    options.model.dropout = options.model.label_smoothing = 0.1;
  }
  set_threads(options.threads);
  const json result = count->parsed()      ? json(Data::read(options).batches.size())
                      : step->parsed()     ? steps_on_data(options)
                      : shape->parsed()    ? steps_on_one_shape(options)
                      : products->parsed() ? time_of_products(options)
                                           : decoding(options);
  std::cout << result << std::endl;
  return 0;
}

}  // namespace

}  // namespace gradus::bench

int main(int argc, char** argv) {
  try {
    return gradus::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_translate: {}\n", error.what());
    return 1;
  }
}
