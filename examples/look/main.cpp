// Answers questions about pictures. README.md shows what it prints.
#include <chrono>

#include "examples/look/looker.h"
#include "examples/look/shapes.h"
#include "examples/training/command_line.h"
#include "examples/training/training.h"

using namespace gradus;
using namespace gradus::look;
using namespace gradus::training;
using terminal::say;

int main(int argc, char** argv) {
  CLI::App app("Answers questions about pictures.");
  LookOptions o;
  TrainOptions options{.epochs = 20, .batch_size = 32, .learning_rate = 1e-3, .decay = true, .clip = 1, .patience = 1000};
  std::string report;
  int64_t pictures = 2000;
  add_integer(&app, "--size", o.size, 1, 4096, "");
  add_integer(&app, "--heads", o.heads, 1, 4096, "");
  add_integer(&app, "--hops", o.hops, 1, 100, "");
  add_integer(&app, "--pictures", pictures, 1, 1000000, "");
  add_training(&app, options, "pictures", "accuracy");
  add_files(&app, options, report, "runs/look.safetensors");
  return run_program("look", app, argc, argv, [&] {
    prepare_to_train(kind_of_model, options.model_path, report);
    const Examples examples = draw_shapes(1, pictures);
    const Learned l = learn(examples, o, options);
    for (auto& [kind, score] : scores(l.looker, draw_shapes(1000001, 300))) say("{:<20}{:>8.1f}\n", kind, score.accuracy());
    return 0;
  });
}
