// Summarises texts with a pointer-generator network. README.md shows what it prints.
#include <chrono>

#include "core/files/atomic_file.h"
#include "examples/summarise/bulletins.h"
#include "examples/summarise/summariser.h"
#include "examples/training/command_line.h"
#include "examples/training/training.h"

using namespace gradus;
using namespace gradus::summarise;
using namespace gradus::training;
using terminal::say;

namespace {

struct Settings {
  Options options;
  std::string data, report, svg;
  int64_t bulletins = 1800;
  bool map = false;
};

/// Headings of a table of scores, and its rows, which go into the report too.
void tell_headings(size_t articles) {
  say("\n{} articles, in %{:>24}{:>9}{:>9}{:>10}{:>8}\n", articles, "ROUGE-1", "ROUGE-2", "ROUGE-L",
      "repeated", "names");
}
void tell(const std::string& name, const Scores& s, nlohmann::json& report) {
  say("{:<26}{:>16.1f}{:>9.1f}{:>9.1f}{:>10.2f}{:>8.1f}\n", name, s.rouge_1, s.rouge_2, s.rouge_l,
      s.repeated, s.names);
  report[name] = {{"rouge_1", s.rouge_1},
                  {"rouge_2", s.rouge_2},
                  {"rouge_l", s.rouge_l},
                  {"repeated", s.repeated},
                  {"names", s.names}};
}

Scores judge(const Summariser& summariser, const std::vector<Article>& articles) {
  std::vector<std::string> summaries;
  for (const Written& written : summarise::summarise(summariser, articles))
    summaries.push_back(written.text);
  return scores(articles, summaries, summariser.vocabulary);
}
Scores judge_first_sentences(const std::vector<Article>& articles, const Vocabulary& vocabulary) {
  std::vector<std::string> summaries;
  for (const Article& article : articles) summaries.push_back(first_sentence(article.text));
  return scores(articles, summaries, vocabulary);
}

/// The words of the text that were looked at.
terminal::AttentionMap looked_at(const terminal::AttentionMap& map) {
  terminal::AttentionMap some{map.source, {}, {}};
  for (size_t i = 0; i < map.target.size(); ++i)
    if (std::ranges::any_of(map.weights[i], [](double weight) { return weight >= 0.125; }))
      some.target.push_back(map.target[i]), some.weights.push_back(map.weights[i]);
  return some;
}

void show(const Written& written, bool map, const std::string& svg) {
  say("{}\n", written.text);
  if (map) say("\n{}\n", terminal::attention_text(looked_at(written.map)));
  if (!svg.empty()) write_file(svg, terminal::attention_svg(looked_at(written.map)));
}

/// Summarises each line of standard input.
int read_and_write(const Summariser& summariser, const Settings& s) {
  return converse("summarise", "Give a text, all in one line; Ctrl-D ends.",
                  [&](const std::string& line) {
                    if (blank(line)) throw Error("expected a text, got an empty line");
                    show(summarise::summarise(summariser, {{line, ""}})[0], s.map, s.svg);
                  });
}

int train_on_file(const Settings& s, const TrainOptions& options) {
  const auto pictures = prepare_to_train(kind_of_model, options.model_path, s.report,
                                         {{"--data", s.data}}, {"summarise_loss.svg"});
  const std::vector<Article> articles = read_articles(s.data);
  const Learned learned = errors_at(s.data, [&] { return learn(articles, s.options, options); });
  if (learned.report.interrupted) return interrupted_status;
  write_report(s.report, report_json(learned.report, figures, {}, "words"));
  say("{}\nthe model is in {}\n", show_curves(learned.report, "nats a word", pictures[0]),
      options.model_path);
  return 0;
}

int evaluate(const Settings& s, const std::string& model) {
  const Summariser summariser = load(model);
  const std::vector<Article> articles = read_articles(s.data);
  nlohmann::json report;
  tell_headings(articles.size());
  tell("first sentence", judge_first_sentences(articles, summariser.vocabulary), report);
  tell("model", errors_at(s.data, [&] { return judge(summariser, articles); }), report);
  write_report(s.report, report);
  return 0;
}

/// Learns the bulletins three times: by attention alone, with copying, and with coverage too.
int demonstrate(Settings s, const TrainOptions& given) {
  const auto start = std::chrono::steady_clock::now();
  const auto pictures = prepare_to_train(kind_of_model, given.model_path, s.report, {},
                                         {"summarise.svg", "summarise_loss.svg"});
  const auto draw = [](int64_t count, bool held_out) {
    Generator generator(held_out ? 2 : 1);
    return draw_bulletins(count, held_out, generator);
  };
  const auto bulletins = draw(s.bulletins, false), unseen = draw(400, true);
  const std::vector<Variant> variants{{"attention", path_beside(given.model_path, "_attention")},
                                      {"+ copying", path_beside(given.model_path, "_copying")},
                                      {"+ coverage", given.model_path}};
  std::optional<Learned> learned;
  std::vector<Scores> reached;
  const auto train = [&](size_t i, const TrainOptions& options) {
    s.options.model.copy = i >= 1, s.options.model.coverage = i >= 2;
    learned.emplace(learn(bulletins, s.options, options));
    if (!learned->report.interrupted) reached.push_back(judge(learned->summariser, unseen));
    return learned->report;
  };
  if (!train_variants(kind_of_model, variants, given, train)) return interrupted_status;
  nlohmann::json end;
  tell_headings(unseen.size());
  tell("first sentence", judge_first_sentences(unseen, learned->summariser.vocabulary), end);
  for (size_t i = 0; i < reached.size(); ++i) tell(variants[i].name, reached[i], end);
  const auto written = summarise::summarise(learned->summariser, unseen);
  for (size_t i = 0; i < 4; ++i) {
    say("\n{}\n→ ", unseen[i].text);
    show(written[i], i == 1, i == 1 ? pictures[0] : "");
  }
  write_report(s.report, report_json(learned->report, figures, end, "words"));
  say("{}\n{:.0f} s; the model is in {}, the pictures are in {} and {}\n",
      show_curves(learned->report, "nats a word", pictures[1]),
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
      given.model_path, pictures[0], pictures[1]);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Summarises texts with a pointer-generator network. Without a command: learns bulletins that "
      "it\nwrites itself, and shows what attention, copying and coverage bring.");
  app.require_subcommand(0, 1);
  Settings s;
  const bool demonstration = argc < 2 || argv[1][0] == '-';
  TrainOptions options{.epochs = demonstration ? 12 : 20,
                       .batch_size = demonstration ? 32 : 16,
                       .learning_rate = demonstration ? 6e-3 : 1e-3,
                       .decay = true,
                       .clip = 2};
  if (demonstration) {
    s.options.model.embedding = 48, s.options.model.hidden = 96;
    s.options.min_count = 20, s.options.longest_summary = 50;
  }
  const std::string model = "runs/summarise.safetensors";
  const auto add_model = [&](CLI::App* command) {
    PointerOptions& m = s.options.model;
    add_integer(command, "--embedding", m.embedding, 1, 4096, "size of the embeddings");
    add_integer(command, "--hidden", m.hidden, 2, 4096, "size of the states, an even number");
    add_number(command, "--dropout", m.dropout, share, "share that is dropped in training");
    add_integer(command, "--min-count", s.options.min_count, 1, most_of_all,
                "how often a word of the vocabulary occurs; others can only be copied");
    add_integer(command, "--longest-text", s.options.longest_text, 1, 100'000,
                "words of a text; further ones are left out");
    add_integer(command, "--longest-summary", s.options.longest_summary, 1, 100'000,
                "words of a summary");
    add_number(command, "--coverage-start", s.options.coverage_start, share,
               "share of the epochs without the loss of coverage");
    add_training(command, options, "articles", "loss");
    add_files(command, options, s.report, model);
  };
  const auto add_data = [&](CLI::App* command) {
    command->add_option("--data", s.data, "a file of texts, a tab and a summary each")->required();
  };
  add_model(&app);
  add_integer(&app, "--bulletins", s.bulletins, 20, 1'000'000, "bulletins to learn");

  CLI::App* train = app.add_subcommand("train", "Train on texts and summaries of your own");
  add_data(train), add_model(train);
  train->add_flag("--no-copy{false}", s.options.model.copy, "without copying");
  train->add_flag("--no-coverage{false}", s.options.model.coverage, "without coverage");

  CLI::App* text = app.add_subcommand("text", "Summarise the lines of standard input");
  add_saved_model(text, options.model_path);
  text->add_flag("--map", s.map, "show what each word of the summary was copied from");
  text->add_option("--svg", s.svg, "draw that for the last text");

  CLI::App* eval = app.add_subcommand("eval", "Judge a model");
  add_saved_model(eval, options.model_path), add_data(eval), add_report(eval, s.report);

  return run_program("summarise", app, argc, argv, [&] {
    if (train->parsed()) return train_on_file(s, options);
    if (text->parsed()) return read_and_write(load(options.model_path), s);
    if (eval->parsed()) return evaluate(s, options.model_path);
    return demonstrate(s, options);
  });
}
