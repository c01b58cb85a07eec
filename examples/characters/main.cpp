// A character-level language model: learns a text, then writes one. README.md shows what it prints.
#include "examples/training/command_line.h"
#include "examples/training/training.h"
#include "layers/layers.h"

using namespace gradus;
using namespace gradus::training;

namespace {

constexpr const char* kind = "language model";
constexpr int64_t most = 2048;

struct LanguageModel {
  Embedding embedding;
  LSTM lstm;
  Dense output;
  void parameters(auto&& visit) {
    visit("embedding", embedding);
    visit("lstm", lstm);
    visit("output", output);
  }
};

/// Of windows (batch, time): each character is to be told from those before it.
BatchLoss loss_of(const LanguageModel& model, const Tensor& ids, Generator*) {
  const Tensor in = slice(ids, 1, 0, -1), out = contiguous(slice(ids, 1, 1, ids.size(1)));
  const Tensor logits = model.output(model.lstm(model.embedding(in)).output);
  return {cross_entropy(logits, out, {.reduction = Reduction::sum}), out.numel()};
}

/// The text, without its first few characters, in windows of `length` and one, shuffled, in
/// batches.
std::vector<Tensor> windows(const std::vector<int64_t>& text, int64_t length, int64_t batch_size,
                            Generator& generator) {
  const auto begin = text.begin() + generator.below(length);
  std::vector<Tensor> batches;
  std::vector<int64_t> ids, order = generator.permutation((text.end() - begin - 1) / length);
  for (const int64_t i : order) {
    ids.insert(ids.end(), begin + i * length, begin + (i + 1) * length + 1);
    const int64_t count = std::ssize(ids) / (length + 1);
    if (count < batch_size && i != order.back()) continue;
    batches.push_back(tensor(std::exchange(ids, {}), {count, length + 1}));
  }
  return batches;
}

/// `text` and `length` more characters, each drawn from softmax(logits / temperature).
std::string write(const LanguageModel& model, const Vocabulary& vocabulary, std::string text,
                  int64_t length, double temperature, Generator generator) {
  const NoGrad pause;
  std::vector<LSTMState> states;
  std::vector<int64_t> ids = vocabulary.encode_text(text);
  for (; length > 0; --length) {
    states = model.lstm(model.embedding(tensor(ids, {1, std::ssize(ids)})), states).states;
    const Tensor p = softmax(model.output(states[0].h) / temperature);
    ids = {unk_id};
    for (double left = generator.uniform(); left >= 0 && ids[0] + 1 < vocabulary.size();)
      left -= p.span<float>()[static_cast<size_t>(++ids[0])];
    text += vocabulary.token(ids[0]);
  }
  return text;
}

/// The text that comes with the program: sentences of four parts, each drawn evenly.
std::string embedded_text() {
  const std::vector<std::string> parts[] = {
      {"At noon", "In winter", "On Sundays", "After the rain", "Late at night"},
      {" a tired farmer", " my aunt", " the old captain", " our cat", " a small robot", " nobody"},
      {" counts the stars", " mends a kite", " waits for the train", " sings", " forgets the key"},
      {" behind the mill.\n", " by the river.\n", " on the roof.\n", " in my street.\n"}};
  Generator generator(1);
  std::string text;
  for (int sentence = 0; sentence < 3000; ++sentence)
    for (const auto& part : parts) text += part[size_t(generator.below(std::ssize(part)))];
  return text;
}

struct Settings {
  std::string data, report, start = "\n";
  int64_t hidden = 128, window = 64, length = 300;
  double temperature = 0.7;
};

int learn(const Settings& s, const TrainOptions& options) {
  const auto pictures = prepare_to_train(kind, options.model_path, s.report, {{"--data", s.data}},
                                         {"characters.svg"});
  const std::string text = s.data.empty() ? embedded_text() : read_text(s.data);
  const Vocabulary vocabulary = Vocabulary::of_texts({text}, Unit::code_points, 1);
  const std::vector<int64_t> ids = vocabulary.encode_text(text);
  const auto cut = ids.end() - std::ssize(ids) / 10;
  const std::vector<int64_t> learned(ids.begin(), cut), held_out(cut, ids.end());
  if (std::ssize(held_out) <= 2 * s.window)
    throw Error(s.data + ": is too short; expected at least 20 times --window characters");
  const int64_t n = vocabulary.size(), h = s.hidden;
  Generator g(options.seed);
  LanguageModel model{Embedding(n, h, g), LSTM(h, h, g), Dense(h, n, g)};
  const std::vector<Tensor> validation = windows(held_out, s.window, 64, g);
  const Task<LanguageModel, Tensor> task{
      .about = description(kind, {{"hidden", h}, {"window", s.window}},
                           {{"vocabulary", vocabulary.to_json()}}),
      .data = {{"text", checksum(text)}},
      .batches = [&](Generator& of) { return windows(learned, s.window, options.batch_size, of); },
      .loss = loss_of,
      .validate = [&](LanguageModel& m) { return Figures{mean_loss(m, validation, loss_of)}; },
      .item = "characters"};
  terminal::say("{} characters; {} parameters\n", ids.size(), parameter_count(model));
  const TrainReport report = train(model, task, options);
  if (report.interrupted) return interrupted_status;
  write_report(s.report, report_json(report, task.figures, {{"judged_on", "held-out"}}, task.item));
  terminal::say("\n{}\n{}\n\nthe model is in {}, the curve is in {}\n",
                show_curves(report, "nats a character", pictures[0]),
                write(model, vocabulary, s.start, s.length, s.temperature, g), options.model_path,
                pictures[0]);
  return 0;
}

int sample(const Settings& s, const TrainOptions& options) {
  return read_model(options.model_path, kind, [&](const TensorFile& file) {
    const Vocabulary vocabulary = vocabulary_in(file.metadata, "vocabulary");
    const int64_t n = vocabulary.size(), h = StoredOptions(file.metadata).integer("hidden", most);
    Generator g(options.seed);
    LanguageModel model{Embedding(n, h, g), LSTM(h, h, g), Dense(h, n, g)};
    load_tensors_into(model, file.tensors);
    terminal::say("{}\n", write(model, vocabulary, s.start, s.length, s.temperature, g));
    return 0;
  });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Learns a text character by character, and writes one like it.");
  Settings s;
  TrainOptions options{.epochs = 8, .batch_size = 32, .learning_rate = 4e-3, .decay = true};
  app.add_option("--data", s.data, "a text file to learn, instead of the text that comes along");
  add_integer(&app, "--hidden", s.hidden, 1, most, "size of the states");
  add_integer(&app, "--window", s.window, 1, 10'000, "characters that are read in one go");
  add_training(&app, options, "windows", "loss");
  add_files(&app, options, s.report, "runs/characters.safetensors");
  app.add_flag("--sample")->description("write with the model, without training");
  app.add_option("--start", s.start, "what the written text begins with");
  add_integer(&app, "--length", s.length, 1, most_of_all, "characters that it writes");
  add_number(&app, "--temperature", s.temperature, {0, 100, false, true}, "below 1: likelier ones");
  return run_program("characters", app, argc, argv, [&] {
    return app.count("--sample") > 0 ? sample(s, options) : learn(s, options);
  });
}
