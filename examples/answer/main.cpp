// Answers questions about stories with a memory network. README.md shows what it prints.
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <iostream>

#include "core/files/atomic_file.h"
#include "examples/answer/answerer.h"
#include "examples/answer/worlds.h"
#include "examples/training/command_line.h"
#include "examples/training/training.h"

using namespace gradus;
using namespace gradus::answer;
using namespace gradus::training;
using terminal::say;

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Settings {
  LearnOptions learn;
  std::string data, report, svg, models = "runs/answer";
  int task = 0, worlds = 3000, runs = 1;
  bool brief = false;
};

void show(const Answer& answer, bool brief, const std::string& svg) {
  if (brief)
    say("{}\n", answer.text);
  else
    say("{}  ({:.0f} %)\n\n{}\n", answer.text, 100 * answer.probability,
        terminal::attention_text(answer.attention, 60));
  if (!svg.empty()) write_file(svg, terminal::attention_svg(answer.attention, 60));
}

/// Reads sentences and questions, each on a line of its own; an empty line begins a new story.
int converse(const Answerer& answerer, bool brief, const std::string& svg) {
  const bool prompt = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
  if (prompt)
    say("Tell a story, a sentence a line; a line that ends with ? is a question, an empty line "
        "begins\na new story, Ctrl-D ends.\n");
  std::vector<std::string> story;
  int status = 0;
  std::string line;
  for (int64_t number = 1;; ++number) {
    if (prompt) say("> ");
    terminal::flush_output();
    if (!std::getline(std::cin, line)) break;
    try {
      if (!valid_utf8(line)) throw Error("invalid UTF-8");
      const std::string text = normalised(line);
      if (text.empty())
        story.clear();
      else if (!text.ends_with('?'))
        story.push_back(text);
      else
        show(answer::answer(answerer, story, text), brief, svg);
    } catch (const Error& error) {
      terminal::message(fmt::format("answer: line {}: {}", number, error.what()));
      status = prompt ? 0 : 1;
    }
  }
  if (std::cin.bad()) throw Error("standard input: cannot be read; is it a folder?");
  return status;
}

int demonstrate(Settings s, const TrainOptions& options) {
  const auto start = Clock::now();
  const auto pictures = prepare_to_train(kind_of_model, options.model_path, s.report, {},
                                         {"answer.svg", "answer_loss.svg"});
  const auto draw = [](int64_t count, uint64_t seed, Language language) {
    Generator generator(seed);
    return draw_worlds(count, language, generator);
  };
  Stories stories = draw(s.worlds, 1, Language::english);
  stories.add(draw(s.worlds, 2, Language::chinese));
  const Learned learned = learn(stories, s.learn, options);
  if (learned.report.interrupted) return interrupted_status;

  const Stories english = without(draw(1200, 3, Language::english), stories);
  const Stories chinese = without(draw(1200, 4, Language::chinese), stories);
  auto in_english = scores(learned.answerer, english),
       in_chinese = scores(learned.answerer, chinese);
  say("\nright answers about {} worlds that it has not seen, in %\n{:<20}{:>8}{:>8}\n",
      english.questions.size() + chinese.questions.size(), "", "English", "Chinese");
  nlohmann::json end;
  for (const std::string& kind : world_kinds) {
    say("{:<20}{:>8.1f}{:>8.1f}\n", kind, in_english[kind].accuracy(), in_chinese[kind].accuracy());
    end[kind] = {in_english[kind].accuracy(), in_chinese[kind].accuracy()};
  }
  for (const Stories* told : {&english, &chinese})
    for (const size_t q : {1, 4}) {
      const Question& asked = told->questions[q];
      say("\n{}  ", asked.text);
      show(answer::answer(
               learned.answerer,
               {told->sentences.begin() + asked.begin, told->sentences.begin() + asked.end},
               asked.text),
           false, told == &english && q == 1 ? pictures[0] : "");
    }
  write_report(s.report, report_json(learned.report, figures, end, "questions"));
  say("{}\n", show_curves(learned.report, "nats a question", pictures[1]));
  say("{:.0f} s; the model is in {}, the pictures are in {} and {}\n", seconds_since(start),
      options.model_path, pictures[0], pictures[1]);
  return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? converse(learned.answerer, false, "") : 0;
}

/// The training or test files of the chosen task, or of all that there are.
Stories read_tasks(const Settings& s, std::string BabiTask::*file) {
  Stories all;
  for (const auto& [number, task] : tasks_in(s.data))
    if ((s.task == 0 || number == s.task) && !(task.*file).empty())
      all.add(read_stories(task.*file, task.name));
  if (all.questions.empty())
    throw Error(fmt::format("{}: holds no {} file of {}", s.data,
                            file == &BabiTask::train ? "training" : "test",
                            s.task == 0 ? "any task" : fmt::format("task {}", s.task)));
  return all;
}

void tell_scores(const std::map<std::string, Score>& all, double minutes, nlohmann::json& report) {
  double errors = 0;
  int failed = 0;
  std::vector<std::string> names;
  for (const auto& [name, score] : all) names.push_back(name);
  std::ranges::sort(names, {}, [](const std::string& name) { return std::stoi(name.substr(2)); });
  say("\n{:<32}{:>8}\n", "task", "error %");
  for (const std::string& name : names) {
    const double error = 100 - all.at(name).accuracy();
    say("{:<32}{:>8.1f}\n", name, error);
    report["errors"][name] = error;
    errors += error;
    failed += error > 5;
  }
  const double mean = errors / double(all.size());
  say("{:<32}{:>8.1f}\n{} of {} tasks above 5 %; {:.1f} minutes\n", "mean", mean, failed,
      all.size(), minutes);
  report.update({{"mean_error", mean}, {"failed", failed}, {"minutes", minutes}});
}

int train_on_files(const Settings& s, const TrainOptions& options) {
  const auto start = Clock::now();
  prepare_to_train(kind_of_model, options.model_path, s.report, {{"--data", s.data}});
  const Stories stories = read_tasks(s, &BabiTask::train), test = read_tasks(s, &BabiTask::test);
  const Learned learned = errors_at(s.data, [&] { return learn(stories, s.learn, options); });
  if (learned.report.interrupted) return interrupted_status;
  nlohmann::json end;
  tell_scores(scores(learned.answerer, test), seconds_since(start) / 60, end);
  write_report(s.report, report_json(learned.report, figures, end, "questions"));
  say("the model is in {}\n", options.model_path);
  return 0;
}

/// A model for each task; of several runs the one that is best on the validation.
int make_table(Settings s, TrainOptions options) {
  const auto start = Clock::now();
  std::map<std::string, Score> all;
  const uint64_t seed = options.seed;
  if (!s.report.empty()) prepare_to_write(s.report);
  for (const auto& [number, task] : tasks_in(s.data)) {
    if (task.train.empty() || task.test.empty()) {
      terminal::message(
          fmt::format("{}: {} has no training or no test file; left out", s.data, task.name));
      continue;
    }
    s.task = number;
    const Stories stories = read_tasks(s, &BabiTask::train), test = read_tasks(s, &BabiTask::test);
    Figures best;
    for (int run = 0; run < s.runs; ++run) {
      options.seed = seed + static_cast<uint64_t>(run);
      options.model_path =
          fmt::format("{}/qa{}_seed{}.safetensors", s.models, number, options.seed);
      options.resume = std::filesystem::exists(options.model_path + ".checkpoint");
      prepare_to_train(kind_of_model, options.model_path, "");
      say("{}, seed {}\n", task.name, options.seed);
      const Learned learned =
          errors_at(task.train, [&] { return learn(stories, s.learn, options); });
      if (learned.report.interrupted) return interrupted_status;
      const Figures& reached = learned.report.best_epoch().figures;
      if (best.empty() || higher(1)(reached, best)) {
        best = reached;
        all[task.name] = scores(learned.answerer, test).at(task.name);
      }
    }
  }
  nlohmann::json report;
  tell_scores(all, seconds_since(start) / 60, report);
  write_report(s.report, report);
  return 0;
}

int evaluate(const Settings& s, const std::string& model) {
  const auto start = Clock::now();
  const Answerer answerer = load(model);
  nlohmann::json report;
  tell_scores(scores(answerer, read_tasks(s, &BabiTask::test)), seconds_since(start) / 60, report);
  write_report(s.report, report);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Answers questions about stories with a memory network. Without a command: learns from "
      "small\n"
      "worlds that it draws itself, shows what it looks at, and answers what you ask.");
  app.require_subcommand(0, 1);
  Settings s;
  const bool demonstration = argc < 2 || argv[1][0] == '-';
  s.learn.linear_start = demonstration ? 8 : 20;
  TrainOptions options{.epochs = demonstration ? 40 : 100,
                       .batch_size = 32,
                       .learning_rate = 0.01,
                       .decay = true,
                       .clip = 1,
                       .patience = 1000};
  const auto add_model = [&](CLI::App* command) {
    MemoryOptions& m = s.learn.model;
    add_integer(command, "--size", m.size, 1, 4096, "size of the embeddings");
    add_integer(command, "--hops", m.hops, 1, 100, "how often it looks at the story");
    add_integer(command, "--memory", m.memory, 1, 4096, "sentences that it can remember");
    command->add_option("--tying", m.tying, "adjacent or layer-wise")
        ->transform(CLI::CheckedTransformer(tyings).description(""))
        ->type_name("NAME")
        ->default_str("adjacent");
    command->add_flag("--bag{false}", m.position, "bags of words, without position encoding");
    add_integer(command, "--linear-start", s.learn.linear_start, 0, 1'000'000,
                "epochs at the beginning without softmax in the hops");
    add_number(command, "--noise", s.learn.noise, share, "share of empty memories in training");
    add_training(command, options, "questions", "accuracy");
  };
  const auto add_data = [&](CLI::App* command) {
    command->add_option("--data", s.data, "a folder of bAbI's files, such as tasks/en")->required();
  };
  const auto add_task = [&](CLI::App* command) {
    add_integer(command, "--task", s.task, 0, 9999, "number of a task; 0: all of them, jointly");
  };
  const std::string model = "runs/answer.safetensors";
  add_model(&app);
  add_files(&app, options, s.report, model);
  add_integer(&app, "--worlds", s.worlds, 60, 1'000'000, "worlds in each language");

  CLI::App* train = app.add_subcommand("train", "Train on bAbI's files");
  add_data(train), add_task(train), add_model(train), add_files(train, options, s.report, model);

  CLI::App* table = app.add_subcommand("table", "Train a model for each task of bAbI");
  add_data(table), add_model(table);
  table->add_option("--models", s.models, "folder for the models; what is there is continued")
      ->capture_default_str();
  add_integer(table, "--runs", s.runs, 1, 1000, "runs of each task, of which the best one counts");
  table->add_option("--report", s.report, "write the figures to this file as JSON");

  CLI::App* eval = app.add_subcommand("eval", "Judge a model on bAbI's test files");
  add_data(eval), add_task(eval);
  eval->add_option("--model", options.model_path, "a model file")->required();
  eval->add_option("--report", s.report, "write the figures to this file as JSON");

  CLI::App* ask = app.add_subcommand("ask", "Answer questions from standard input");
  ask->add_option("--model", options.model_path, "a model file")->required();
  ask->add_flag("--brief", s.brief, "print the answers alone");
  ask->add_option("--svg", s.svg, "draw what it looked at for the last question");

  return run_program("answer", app, argc, argv, [&] {
    if (demonstration && !app.get_subcommands().empty())
      throw Error("options come after the command: answer train --seed 2 …");
    if (train->parsed()) return train_on_files(s, options);
    if (table->parsed()) return make_table(s, options);
    if (eval->parsed()) return evaluate(s, options.model_path);
    if (ask->parsed()) return converse(load(options.model_path), s.brief, s.svg);
    return demonstrate(s, options);
  });
}
