#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <new>
#include <sstream>

#include "examples/step/language.h"
#include "examples/step/lesson_text.h"
#include "examples/step/lessons.h"
#include "examples/step/line_editor.h"
#include "examples/step/page.h"
#include "examples/terminal/output.h"

using namespace gradus;
using namespace gradus::step;

namespace {

void add_language(CLI::App& app, std::string& language) {
  app.add_option("--language", language, said("what to explain it in, on a page, too"))
      ->check(CLI::IsMember({"en", "zh"}))
      ->capture_default_str();
}

/// Reads this option before all others: their help is said in it.
void find_language(int argc, char** argv, std::string& language) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  add_language(app, language);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError&) {
    // main() says what is wrong.
  }
}

}  // namespace

int main(int argc, char** argv) {
  terminal::open_standard_streams();
  std::string language = language_of_environment() == Language::zh ? "zh" : "en";
  find_language(argc, argv, language);
  speak(language == "zh" ? Language::zh : Language::en);
  CLI::App app(said("Steps through the forward and the backward pass of a recorded computation."));
  app.footer(said("Lessons:\n{}\nIn the program, 'help' lists the commands.", lesson_list()));
  for (const char* label : {"Usage", "OPTIONS", "Positionals", "Needs"})
    app.get_formatter()->label(label, std::string(phrase(label)));
  app.option_defaults()->group(said("Options"));
  app.set_help_flag("-h,--help", said("Print this help message and exit"));
  std::string name = "1", commands, html, beside;
  LessonOptions options;
  app.add_option("trace", name, said("a lesson's number, or a trace file"))->capture_default_str();
  app.add_option("--commands", commands,
                 said("carry out this script, or the commands of this transcript"));
  app.add_option("--html", html,
                 said("write a page here that steps through it in a browser, after the commands"));
  app.add_option("--beside", beside, said("with --html: the trace file to compare with"))
      ->needs("--html");
  app.add_option("--sentence", options.sentence, said("lesson 5: what to translate"))
      ->capture_default_str();
  app.add_option("--model", options.model,
                 said("lesson 5: a model file; without one, a small model is trained first"));
  add_language(app, language);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    const int status = app.exit(error, out, err);  // help, or what is wrong
    terminal::print(out.str());
    return terminal::ended("step", status, err.str());
  }

  try {
    if (!html.empty()) check_place_of_page(html);
    Opened opened = open_trace(name, options);
    if (html.empty() || !commands.empty()) std::cout << opened.title;
    Session session(std::move(opened.trace), commands.empty() ? screen_of_terminal() : Screen(),
                    lessons());
    int status = 0;
    if (!commands.empty())
      status = replay(session, commands, std::cout);
    else if (html.empty())
      status = converse(session);
    if (!html.empty()) {
      const Trace other = beside.empty() ? Trace() : Trace::load(beside);
      PageText text = lesson_text(name);
      if (app.count("--language") > 0) text.language = language;
      write_page(session.trace(), html, beside.empty() ? session.before() : &other, text);
    }
    return terminal::ended("step", status);
  } catch (const std::bad_alloc&) {
    terminal::message("step: " + said("not enough memory"));
  } catch (const std::exception& error) {
    terminal::message(fmt::format("step: {}", error.what()));
  }
  return 1;
}
