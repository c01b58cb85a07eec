// Answers questions about stories. README.md shows what it prints.
#include <ctime>
#include <filesystem>
#include <optional>

#include "core/files/atomic_file.h"
#include "examples/answer/answerer.h"
#include "examples/answer/worlds.h"
#include "examples/training/command_line.h"
#include "examples/training/training.h"

using namespace gradus;
using namespace gradus::answer;
using namespace gradus::training;
using nlohmann::json;
using terminal::say;

namespace {

/// Of this process, all threads together.
double processor_minutes() { return double(std::clock()) / CLOCKS_PER_SEC / 60; }

struct Settings {
  LearnOptions learn;
  std::string data, report, svg, models = "runs/answer";
  int task = 0, worlds = 10'000, runs = 1;
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
int tell_and_ask(const Answerer& answerer, bool brief, const std::string& svg) {
  std::vector<std::string> story;
  return converse(
      "answer",
      "Tell a story, a sentence a line; a line that ends with ? is a question, an empty "
      "line begins\na new story, Ctrl-D ends.",
      [&](const std::string& line) {
        const std::string text = normalised(line);
        if (text.empty())
          story.clear();
        else if (!text.ends_with('?'))
          story.push_back(text);
        else
          show(answer::answer(answerer, story, text), brief, svg);
      });
}

int demonstrate(Settings s, const TrainOptions& options) {
  const auto pictures = prepare_to_train(kind_of_model, options.model_path, s.report, {},
                                         {"answer.svg", "answer_loss.svg"});
  const auto draw = [](int64_t count, uint64_t seed, Language language) {
    Generator generator(seed);
    return draw_worlds(count, language, generator);
  };
  Stories stories = draw(s.worlds, 1, english);
  stories.add(draw(s.worlds, 2, chinese));
  const Learned learned = learn(stories, s.learn, options);
  if (learned.report.interrupted) return interrupted_status;

  const Stories judged[]{without(draw(1200, 3, english), stories),
                         without(draw(1200, 4, chinese), stories)};
  auto in_english = scores(learned.answerer, judged[english]),
       in_chinese = scores(learned.answerer, judged[chinese]);
  say("\nright answers about {} worlds that it has not seen, in %\n{:<20}{:>8}{:>8}\n",
      judged[english].questions.size() + judged[chinese].questions.size(), "", "English",
      "Chinese");
  json end;
  for (const std::string& kind : world_kinds) {
    say("{:<20}{:>8.1f}{:>8.1f}\n", kind, in_english[kind].accuracy(), in_chinese[kind].accuracy());
    end[kind] = {in_english[kind].accuracy(), in_chinese[kind].accuracy()};
  }
  for (const Stories& told : judged)
    for (const size_t q : {1, 4}) {
      const Question& asked = told.questions[q];
      say("\n{}  ", asked.text);
      show(
          answer::answer(learned.answerer,
                         {told.sentences.begin() + asked.begin, told.sentences.begin() + asked.end},
                         asked.text),
          false, &told == judged && q == 1 ? pictures[0] : "");
    }
  write_report(s.report, report_json(learned.report, figures, end, "questions"));
  say("{}\n", show_curves(learned.report, "nats a question", pictures[1]));
  say("{:.0f} s of processor time; the model is in {}, the pictures are in {} and {}\n",
      60 * processor_minutes(), options.model_path, pictures[0], pictures[1]);
  return is_interactive() ? tell_and_ask(learned.answerer, false, "") : 0;
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

/// A row for each task, a column for each title; returns the figures below them by title.
json tell_errors(const std::vector<std::pair<std::string, Tallies>>& columns) {
  json report;
  std::string head = fmt::format("\n{:<32}", "errors in %"), mean = fmt::format("{:<32}", "mean"),
              failed = fmt::format("{:<32}", "tasks above 5 %");
  std::map<int, std::string> rows;
  for (const auto& [title, scores] : columns) {
    head += fmt::format("{:>10}", title);
    double sum = 0;
    int above = 0;
    for (const auto& [name, score] : scores) {
      const double error = 100 - score.accuracy();
      std::string& row = rows[std::stoi(name.substr(2))];
      if (row.empty()) row = fmt::format("{:<32}", name);
      row += fmt::format("{:>10.1f}", error);
      report[title]["errors"][name] = error;
      sum += error;
      above += error > 5;
    }
    report[title]["mean_error"] = sum / double(scores.size());
    report[title]["failed"] = above;
    mean += fmt::format("{:>10.1f}", sum / double(scores.size()));
    failed += fmt::format("{:>10}", above);
  }
  say("{}\n", head);
  for (const auto& row : rows) say("{}\n", row.second);
  say("{}\n{}\n", mean, failed);
  return report;
}

int train_on_files(const Settings& s, const TrainOptions& options) {
  prepare_to_train(kind_of_model, options.model_path, s.report, {{"--data", s.data}});
  const Stories stories = read_tasks(s, &BabiTask::train), test = read_tasks(s, &BabiTask::test);
  const Learned learned = errors_at(s.data, [&] { return learn(stories, s.learn, options); });
  if (learned.report.interrupted) return interrupted_status;
  const json end = tell_errors({{"test", scores(learned.answerer, test)}});
  write_report(s.report, report_json(learned.report, figures, end["test"], "questions"));
  say("{:.1f} minutes of processor time; the model is in {}\n", processor_minutes(),
      options.model_path);
  return 0;
}

/// Trains some models on a task, 0 for all of them, and judges the one that is best on the
/// validation; nothing when interrupted.
std::optional<Tallies> best_of_runs(Settings s, TrainOptions options, int task) {
  s.task = task;
  const Stories stories = read_tasks(s, &BabiTask::train), test = read_tasks(s, &BabiTask::test);
  std::optional<Learned> best;
  for (int run = 0; run < s.runs; ++run, ++options.seed) {
    const std::string name = task == 0 ? "joint" : fmt::format("qa{}", task);
    options.model_path = fmt::format("{}/{}_seed{}.safetensors", s.models, name, options.seed);
    options.resume = std::filesystem::exists(options.model_path + ".checkpoint");
    prepare_to_train(kind_of_model, options.model_path, "");
    say("{}, seed {}\n", name, options.seed);
    Learned learned = errors_at(s.data, [&] { return learn(stories, s.learn, options); });
    if (learned.report.interrupted) return std::nullopt;
    const auto reached = [](const Learned& of) { return of.report.best_epoch().figures; };
    if (!best || higher(1)(reached(learned), reached(*best))) best = std::move(learned);
  }
  return scores(best->answerer, test);
}

/// A model for each task, and one for all of them.
int make_table(const Settings& s, const TrainOptions& options) {
  Tallies each;
  if (!s.report.empty()) prepare_to_write(s.report);
  for (const auto& [number, task] : tasks_in(s.data)) {
    if (task.train.empty() || task.test.empty()) {
      terminal::message(
          fmt::format("{}: {} has no training or no test file; left out", s.data, task.name));
      continue;
    }
    const auto of_task = best_of_runs(s, options, number);
    if (!of_task) return interrupted_status;
    each.insert(of_task->begin(), of_task->end());
  }
  auto joint = best_of_runs(s, options, 0);
  if (!joint) return interrupted_status;
  std::erase_if(*joint, [&](const auto& score) { return !each.contains(score.first); });
  json report = tell_errors({{"each", each}, {"joint", *joint}});
  report["minutes"] = processor_minutes();
  say("{:.1f} minutes of processor time\n", processor_minutes());
  write_report(s.report, report);
  return 0;
}

int evaluate(const Settings& s, const std::string& model) {
  write_report(
      s.report,
      tell_errors({{"test", scores(load(model), read_tasks(s, &BabiTask::test))}})["test"]);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Answers questions about stories. Without a command: learns from small worlds that it draws\n"
      "itself, shows what it looks at, and answers what you ask.");
  app.require_subcommand(0, 1);
  Settings s;
  const bool demonstration = argc < 2 || argv[1][0] == '-';
  s.learn.linear_start = demonstration ? 8 : 20;
  s.learn.model.size = demonstration ? 48 : 64;
  TrainOptions options{.epochs = demonstration ? 40 : 30,
                       .batch_size = 32,
                       .learning_rate = 0.005,
                       .decay = true,
                       .weight_decay = demonstration ? 0 : 1e-5,
                       .clip = 1,
                       .patience = 1000};
  const auto add_model = [&](CLI::App* command) {
    MemoryOptions& m = s.learn.model;
    add_name(command, "--architecture", s.learn.architecture, architectures,
             "reduction, memory, or both, whose logits are added");
    add_integer(command, "--size", m.size, 1, 4096, "size of the embeddings");
    add_integer(command, "--hops", m.hops, 1, 100, "how often it looks at the story");
    add_integer(command, "--memory", m.memory, 1, 4096,
                "memory network: sentences that it can remember");
    add_name(command, "--tying", m.tying, tyings, "memory network: adjacent or layer-wise weights");
    command->add_flag("--bag{false}", m.position,
                      "memory network: bags of words, without position encoding");
    add_integer(command, "--linear-start", s.learn.linear_start, 0, 1'000'000,
                "memory network: epochs at the beginning without softmax");
    add_number(command, "--noise", s.learn.noise, share,
               "memory network alone: share of empty memories in training");
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

  CLI::App* table =
      app.add_subcommand("table", "Train a model for each task of bAbI, and one for all");
  add_data(table), add_model(table);
  table->add_option("--models", s.models, "folder for the models; what is there is continued")
      ->capture_default_str();
  add_integer(table, "--runs", s.runs, 1, 1000, "runs of each task, of which the best one counts");
  add_report(table, s.report);

  CLI::App* eval = app.add_subcommand("eval", "Judge a model on bAbI's test files");
  add_data(eval), add_task(eval);
  add_saved_model(eval, options.model_path), add_report(eval, s.report);

  CLI::App* ask = app.add_subcommand("ask", "Answer questions from standard input");
  add_saved_model(ask, options.model_path);
  ask->add_flag("--brief", s.brief, "print the answers alone");
  ask->add_option("--svg", s.svg, "draw what it looked at for the last question");

  return run_program("answer", app, argc, argv, [&] {
    if (train->parsed()) return train_on_files(s, options);
    if (table->parsed()) return make_table(s, options);
    if (eval->parsed()) return evaluate(s, options.model_path);
    if (ask->parsed()) return tell_and_ask(load(options.model_path), s.brief, s.svg);
    return demonstrate(s, options);
  });
}
