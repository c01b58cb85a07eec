// Answers questions about pictures. README.md shows what it prints.
#include <chrono>
#include <optional>

#include "core/files/atomic_file.h"
#include "examples/look/looker.h"
#include "examples/look/shapes.h"
#include "examples/training/command_line.h"
#include "examples/training/training.h"

using namespace gradus;
using namespace gradus::look;
using namespace gradus::training;
using terminal::say;

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Pictures that judge have numbers that no training reaches.
constexpr int64_t most_pictures = 100'000, first_unseen = 1'000'001, unseen_count = 1000;

struct Settings {
  LookOptions model;
  std::string data, report, svg, picture_file, folder;
  int64_t pictures = 9800, picture = first_unseen, baseline_epochs = 1;
  bool brief = false;
};

/// Adds what the questions of shapes about one of them, about several, and all of them come to.
Tallies with_sums(Tallies scores) {
  for (size_t i = 0; i < shape_kinds.size() && scores.contains(shape_kinds[i]); ++i)
    for (const char* sum : {i < relational_from ? "non-relational" : "relational", "all"}) {
      scores[sum].right += scores[shape_kinds[i]].right;
      scores[sum].asked += scores[shape_kinds[i]].asked;
    }
  return scores;
}

/// A row for each kind of question, a column for each model; the figures go into the report, too.
void tell(const std::vector<std::pair<std::string, Tallies>>& models, nlohmann::json& report) {
  say("\nright answers to {} questions, in %\n{:<16}", models[0].second.at("all").asked, "");
  for (const auto& model : models) say("{:>16}", model.first);
  std::vector<std::string> kinds = shape_kinds;
  kinds.insert(kinds.end(), {"non-relational", "relational", "all"});
  for (const std::string& kind : kinds) {
    if (!models[0].second.contains(kind)) continue;
    say("\n{:<16}", kind);
    for (const auto& [name, scores] : models) {
      say("{:>16.1f}", scores.at(kind).accuracy());
      report[name][kind] = scores.at(kind).accuracy();
    }
  }
  say("\n");
}

terminal::PictureMap map_of(const Picture& picture, const Answer& answer) {
  terminal::PictureMap map{side,           picture.pixels, {},       answer.weights,
                           patches_across, cell_side,      cell_side};
  for (size_t hop = 0; hop < answer.weights.size(); ++hop)
    map.looks.push_back(fmt::format("look {}", hop + 1));
  return map;
}

void show(const Picture& picture, const std::string& question, const Answer& answer, bool brief,
          const std::string& svg) {
  if (brief)
    say("{}\n", answer.text);
  else
    say("{}  ({:.0f} %)\n\n{}\n", answer.text, 100 * answer.probability,
        terminal::looks_text(map_of(picture, answer)));
  if (!svg.empty())
    write_file(svg, terminal::picture_svg(map_of(picture, answer), question + " " + answer.text));
}

/// Answers the questions on standard input, each on a line of its own.
int ask_about(const Looker& looker, const Settings& s) {
  const Picture picture =
      s.picture_file.empty() ? draw_shapes(s.picture, 1).pictures[0] : read_picture(s.picture_file);
  if (!s.brief) say("{}\n", terminal::picture_text(map_of(picture, {})));
  return converse("look", "Ask about the picture, a question a line; Ctrl-D ends.",
                  [&](const std::string& line) {
                    if (blank(line)) throw Error("expected a question, got an empty line");
                    const std::string question = normalised(line);
                    show(picture, question, answer(looker, picture, question), s.brief, s.svg);
                  });
}

Examples examples_of(const Settings& s) {
  return s.data.empty() ? draw_shapes(1, s.pictures) : read_examples(s.data);
}

int train_one(const Settings& s, const TrainOptions& options) {
  const auto start = Clock::now();
  const auto pictures = prepare_to_train(kind_of_model, options.model_path, s.report,
                                         {{"--data", s.data}}, {"look_loss.svg"});
  const Examples examples = examples_of(s);
  const auto train = [&] { return learn(examples, s.model, options); };
  const Learned learned = s.data.empty() ? train() : errors_at(s.data, train);
  if (learned.report.interrupted) return interrupted_status;
  nlohmann::json end;
  if (s.data.empty())
    tell({{"unseen pictures",
           with_sums(scores(learned.looker, draw_shapes(first_unseen, unseen_count)))}},
         end);
  write_report(s.report, report_json(learned.report, figures, end, "questions"));
  say("{}\n{:.0f} s; the model is in {}\n",
      show_curves(learned.report, "nats a question", pictures[0]), seconds_since(start),
      options.model_path);
  return 0;
}

int evaluate(const Settings& s, const std::string& model) {
  const Looker looker = load(model);
  const Examples examples =
      s.data.empty() ? draw_shapes(first_unseen, unseen_count) : read_examples(s.data);
  nlohmann::json report;
  tell({{"model", with_sums(scores(looker, examples))}}, report);
  write_report(s.report, report);
  return 0;
}

/// Learns to answer with the question alone, with the picture alone, and with both.
int demonstrate(Settings s, const TrainOptions& given) {
  const auto start = Clock::now();
  const auto drawn = prepare_to_train(kind_of_model, given.model_path, s.report, {},
                                      {"look.svg", "look_loss.svg"});
  const std::vector<Variant> variants{
      {"question alone", path_beside(given.model_path, "_question")},
      {"picture alone", path_beside(given.model_path, "_picture")},
      {"both", given.model_path}};
  const Examples examples = draw_shapes(1, s.pictures),
                 unseen = draw_shapes(first_unseen, unseen_count);
  std::vector<std::pair<std::string, Tallies>> reached;
  std::optional<Learned> learned;
  const auto train = [&](size_t i, TrainOptions options) {
    s.model.picture = i != 0, s.model.question = i != 1;
    if (i < 2) options.epochs = std::min<int>(given.epochs, int(s.baseline_epochs));
    learned.emplace(learn(examples, s.model, options));
    if (!learned->report.interrupted)
      reached.emplace_back(variants[i].name, with_sums(scores(learned->looker, unseen)));
    return learned->report;
  };
  if (!train_variants(kind_of_model, variants, given, train)) return interrupted_status;
  nlohmann::json end;
  tell(reached, end);
  const Picture& picture = unseen.pictures[0];
  say("\n{}\n", terminal::picture_text(map_of(picture, {})));
  for (const char* question :
       {"Is the red one on the left?", "What shape is closest to the yellow one?"}) {
    say("{}  ", question);
    show(picture, question, answer(learned->looker, picture, question), false, drawn[0]);
  }
  write_report(s.report, report_json(learned->report, figures, end, "questions"));
  say("{}\n{:.0f} s; the model is in {}, the pictures are in {} and {}\n",
      show_curves(learned->report, "nats a question", drawn[1]), seconds_since(start),
      given.model_path, drawn[0], drawn[1]);
  return is_interactive() ? ask_about(learned->looker, s) : 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Answers questions about pictures. Without a command: learns from pictures of shapes that "
      "it\n"
      "draws itself, compares with models that do not see the picture or the question, and shows\n"
      "where it looks.");
  app.require_subcommand(0, 1);
  Settings s;
  TrainOptions options{.epochs = 10,
                       .batch_size = 4,
                       .learning_rate = 5e-4,
                       .decay = true,
                       .warm_up = 1000,
                       .clip = 1,
                       .patience = 1000};
  const std::string model = "runs/look.safetensors";
  const auto add_model = [&](CLI::App* command) {
    add_integer(command, "--size", s.model.size, 2, 1024, "size of all vectors");
    add_integer(command, "--heads", s.model.heads, 1, 1024, "heads, which divide the size");
    add_integer(command, "--hops", s.model.hops, 1, 20, "how often it looks at the picture");
    add_integer(command, "--objects", s.model.objects, 1, 1024, "how many it can find at most");
    add_integer(command, "--pictures", s.pictures, 10, most_pictures,
                "pictures of shapes to learn");
    add_training(command, options, "pictures", "accuracy");
    add_files(command, options, s.report, model);
  };
  const auto add_data = [&](CLI::App* command) {
    command->add_option("--data", s.data,
                        "a folder of pictures with questions.tsv; without it, shapes are drawn");
  };
  add_model(&app);

  CLI::App* train = app.add_subcommand("train", "Train one model, on shapes or pictures of yours");
  add_data(train), add_model(train);
  train->add_flag("--no-picture{false}", s.model.picture, "without seeing the picture");
  train->add_flag("--no-question{false}", s.model.question, "without reading the question");

  CLI::App* eval = app.add_subcommand("eval", "Judge a model");
  add_saved_model(eval, options.model_path), add_data(eval), add_report(eval, s.report);

  const auto add_number_of_picture = [&](CLI::App* command) {
    add_integer(command, "--picture", s.picture, 1, 2 * first_unseen,
                "number of a picture of shapes; beyond 1000000 no training has seen it");
  };
  CLI::App* ask = app.add_subcommand("ask", "Answer questions from standard input");
  add_saved_model(ask, options.model_path), add_number_of_picture(ask);
  ask->add_option("--file", s.picture_file, "a picture, 75 × 75 pixels in a PPM file");
  ask->add_flag("--brief", s.brief, "print the answers alone");
  ask->add_option("--svg", s.svg, "draw where it looked for the last question");

  CLI::App* draw = app.add_subcommand("draw", "Write pictures of shapes with their questions");
  draw->add_option("folder", s.folder, "a new folder")->required();
  add_number_of_picture(draw);
  add_integer(draw, "--pictures", s.pictures, 1, most_pictures, "how many, from that one on");

  return run_program("look", app, argc, argv, [&] {
    if (train->parsed()) return train_one(s, options);
    if (eval->parsed()) return evaluate(s, options.model_path);
    if (ask->parsed()) return ask_about(load(options.model_path), s);
    if (draw->parsed()) return write_examples(s.folder, draw_shapes(s.picture, s.pictures)), 0;
    return demonstrate(s, options);
  });
}
