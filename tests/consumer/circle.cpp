#include "examples/training/command_line.h"
#include "examples/training/training.h"
#include "layers/layers.h"

using namespace gradus;
using namespace gradus::training;

struct Circle {  // tells whether a point lies within the unit circle
  Dense hidden, output;
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  void parameters(auto&& visit) { visit("hidden", hidden), visit("output", output); }
};

BatchLoss loss(const Circle& model, const Tensor& points, Generator*) {
  const Tensor inside = cast(less(sum(points * points, {1}), 1), DType::int64);
  return {cross_entropy(model(points), inside, {.reduction = Reduction::sum}), points.size(0)};
}

std::vector<Tensor> batches(int count, int64_t size, Generator& generator) {
  std::vector<Tensor> drawn;
  while (count-- > 0) drawn.push_back(random_uniform({size, 2}, -1.5, 1.5, generator));
  return drawn;
}

int main(int argc, char** argv) {
  CLI::App app("Learns a circle.");
  TrainOptions options{.epochs = 5, .learning_rate = 0.02};
  std::string report_path;
  add_training(&app, options, "points", "loss");
  add_files(&app, options, report_path, "circle.safetensors");
  return run_program("circle", app, argc, argv, [&] {
    prepare_to_train("circle", options.model_path, report_path);
    Generator generator(options.seed);
    Circle model{Dense(2, 16, generator), Dense(16, 2, generator)};
    const std::vector<Tensor> valid = batches(10, 100, generator);
    const Task<Circle, Tensor> task{
        .about = description("circle", {{"hidden", 16}}),
        .batches = [&](Generator& g) { return batches(100, options.batch_size, g); },
        .loss = loss,
        .validate = [&](Circle& m) { return Figures{mean_loss(m, valid, loss)}; },
        .item = "points"};
    const TrainReport report = train(model, task, options);
    if (report.interrupted) return interrupted_status;
    write_report(report_path, report_json(report, task.figures, {}, task.item));
    terminal::say("{}\n", show_curves(report, "nats a point"));
    return 0;
  });
}
