#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <new>
#include <sstream>

#include "examples/step/lesson_text.h"
#include "examples/step/lessons.h"
#include "examples/step/line_editor.h"
#include "examples/step/page.h"
#include "examples/terminal/output.h"

using namespace gradus;
using namespace gradus::step;

int main(int argc, char** argv) {
  terminal::open_standard_streams();
  CLI::App app("Steps through the forward and the backward pass of a recorded computation.");
  app.footer("Lessons:\n" + lesson_list() + "\nIn the program, 'help' lists the commands.");
  std::string name = "1", commands, html, beside;
  LessonOptions options;
  app.add_option("trace", name, "a lesson's number, or a trace file")->capture_default_str();
  app.add_option("--commands", commands,
                 "carry out this script, or the commands of this transcript");
  app.add_option("--html", html,
                 "write a page here that steps through it in a browser, after the commands");
  app.add_option("--beside", beside, "with --html: the trace file to compare with")
      ->needs("--html");
  app.add_option("--sentence", options.sentence, "lesson 5: what to translate")
      ->capture_default_str();
  app.add_option("--model", options.model,
                 "lesson 5: a model file; without one, a small model is trained first");
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
      write_page(session.trace(), html, beside.empty() ? session.before() : &other,
                 lesson_text(name));
    }
    return terminal::ended("step", status);
  } catch (const std::bad_alloc&) {
    terminal::message("step: not enough memory");
  } catch (const std::exception& error) {
    terminal::message(fmt::format("step: {}", error.what()));
  }
  return 1;
}
