#include "examples/live/engine.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/core.h"
#include "core/tensor/error.h"
#include "examples/live/training.h"
#include "examples/step/lessons.h"
#include "layers/dense.h"
#include "layers/parameters.h"
#include "optim/optimizer.h"

using namespace gradus;
using nlohmann::json;

namespace {

/// An engine that is asked.
struct Asked {
  live::Engine engine;

  json operator()(const json& request) { return json::parse(engine.answer(request.dump())); }
  std::string error(const json& request) { return (*this)(request).value("error", ""); }
};

/// The mean of a node's value or gradient: the number itself, where it is one.
double number(const json& answer, const std::string& name, const char* what = "value") {
  const json& trace = answer.at("trace");
  for (const json& node : trace.at("nodes"))
    if (node.value("name", node.value("op", "")) == name || node.value("op", "") == name)
      return trace.at("tensors").at(node.at(what).get<size_t>()).at("mean").get<double>();
  FAIL("no node " << name);
  return 0;
}

}  // namespace

TEST_CASE("each lesson opens, with a verdict for every op where that is quick") {
  Asked ask;
  for (const int lesson : {1, 2, 3, 4, 6}) {
    const json answer = ask({{"do", "open"}, {"lesson", lesson}});
    CAPTURE(lesson);
    const json& nodes = answer.at("trace").at("nodes");
    CHECK(nodes.size() > 8);
    if (nodes.size() <= 64)
      for (const json& node : nodes)
        if (node.at("kind") == "op") CHECK(node.contains("verdict"));
  }
}

TEST_CASE("a changed value runs forward and backward again, and undo takes it back") {
  Asked ask;
  const json before = ask({{"do", "open"}, {"lesson", 1}});
  CHECK(number(before, "loss") == doctest::Approx(2.6737).epsilon(1e-4));
  const json after = ask({{"do", "set"}, {"node", 0}, {"value", 0.5}});
  CHECK(after.at("left") == 1);
  CHECK(number(after, "output") == doctest::Approx(std::tanh(1.25)));
  CHECK(number(after, "weight", "gradient") == doctest::Approx(-0.1702).epsilon(1e-3));
  CHECK(ask({{"do", "undo"}}).at("trace") == before.at("trace"));
  CHECK(ask.error({{"do", "undo"}}) == "nothing has been changed");
}

TEST_CASE("a value that is dragged is one change, which one undo takes back") {
  Asked ask;
  const json before = ask({{"do", "open"}, {"lesson", 1}});
  ask({{"do", "set"}, {"node", 0}, {"value", 0.1}});
  ask({{"do", "set"}, {"node", 0}, {"value", 0.2}, {"again", true}});
  const json after = ask({{"do", "set"}, {"node", 0}, {"value", 0.5}, {"again", true}});
  CHECK(after.at("left") == 1);
  CHECK(number(after, "output") == doctest::Approx(std::tanh(1.25)));
  CHECK(ask({{"do", "undo"}}).at("trace") == before.at("trace"));
}

TEST_CASE("one element of a tensor is changed, to NaN and infinity, too") {
  Asked ask;
  ask({{"do", "open"}, {"lesson", 2}});
  const json answer = ask({{"do", "set"}, {"node", 1}, {"element", 3}, {"value", "nan"}});
  CHECK(answer.at("trace")
            .at("tensors")
            .at(answer.at("trace").at("nodes")[1].at("value").get<size_t>())
            .at("nans") == 1);
  CHECK(ask.error({{"do", "set"}, {"node", 1}, {"element", 6}, {"value", 0}}) ==
        "set: expected an element of 6, got 6");
  CHECK(ask.error({{"do", "set"}, {"node", 1}, {"value", "many"}})
            .starts_with("expected a number, nan, inf"));
  CHECK(ask.error({{"do", "set"}, {"node", 99}, {"value", 0}}) != "");
}

TEST_CASE("a typed formula has its derivative, its graph, and a verdict") {
  Asked ask;
  const json answer = ask({{"do", "formula"}, {"text", "x * sigmoid(x)"}});
  CHECK(answer.at("formula") == "x · sigmoid(x)");
  CHECK(answer.at("verdict") == "agrees");
  CHECK(answer.at("plot").at("y").size() == 161);
  CHECK(answer.at("plot").at("slope")[80].get<double>() == doctest::Approx(0.5));
  CHECK(ask.error({{"do", "formula"}, {"text", "x +"}}) != "");
}

TEST_CASE("a formula in the place of tanh gives what the same model of that formula computes") {
  Asked ask;
  ask({{"do", "open"}, {"lesson", 1}});
  CHECK(ask({{"do", "ops"}}).at("ops") == json{"tanh"});
  const json answer = ask({{"do", "put"}, {"text", "x * sigmoid(x)"}, {"instead_of", "tanh"}});
  CHECK(answer.at("count") == 1);
  const double x = -0.75, s = 1 / (1 + std::exp(-x)), slope = s + x * s * (1 - s),
               error = x * s - 1;
  CHECK(number(answer, "loss") == doctest::Approx(error * error));
  CHECK(number(answer, "weight", "gradient") == doctest::Approx(2 * error * slope * 2));
  CHECK(ask.error({{"do", "put"}, {"text", "x"}, {"instead_of", "tanh"}}) ==
        "this computation calls no tanh of one input");
  ask({{"do", "open"}, {"lesson", 3}});  // whose cell is one formula with two functions
  CHECK(ask({{"do", "put"}, {"text", "x"}, {"instead_of", "tanh"}}).at("count") == 8);
  CHECK(number(ask({{"do", "undo"}}), "lstm_hidden") == doctest::Approx(0.1764).epsilon(1e-3));
}

TEST_CASE("training on a trace is training the model: the same bits") {
  const Trace lesson = step::dense_layer();
  live::Training training(std::make_shared<const Trace>(step::dense_layer()),
                          {.optimizer = "Adam", .rate = 0.05});
  Tensor weight = lesson.node(1).value.values().detach().require_grad(),
         bias = lesson.node(2).value.values().detach().require_grad();
  const Tensor x = lesson.node(0).value.values(), target = lesson.node(6).value.values();
  weight.set_name("w"), bias.set_name("b");
  Adam adam(std::vector<Tensor>{weight, bias}, {.learning_rate = 0.05});
  for (int i = 0; i < 100; ++i) {
    adam.zero_grad();
    const Tensor p = softmax(matmul(x, transpose(weight)) + bias);
    const Tensor loss = -sum(target * log(p));
    CHECK(loss.item() == doctest::Approx(training.steps().back().loss).epsilon(1e-6));
    loss.backward();
    adam.step();
    REQUIRE(training.step());
  }
  CHECK(training.steps().back().loss < 0.1);
}

TEST_CASE("steps of a training can be shown, beside those of another run") {
  Asked ask;
  ask({{"do", "open"}, {"lesson", 1}});
  const json first = ask({{"do", "train"}, {"steps", 20}, {"rate", 0.1}});
  CHECK(first.at("steps").size() == 21);
  CHECK(first.at("steps")[20][0].get<double>() == doctest::Approx(0.0071).epsilon(0.01));
  CHECK(ask({{"do", "train"}, {"steps", 5}}).at("from") == 21);
  const json second =
      ask({{"do", "train"}, {"steps", 20}, {"rate", 0.1}, {"clip", 0.5}, {"new", true}});
  CHECK(second.at("run") == 1);
  const json shown = ask({{"do", "show"}, {"run", 0}, {"step", 20}, {"beside", {1, 20}}});
  CHECK(number(shown, "loss") == doctest::Approx(first.at("steps")[20][0].get<double>()));
  CHECK(shown.at("trace").at("other").is_object());
  CHECK(ask.error({{"do", "show"}, {"run", 2}, {"step", 0}}) == "there is no run 2");
  CHECK(ask.error({{"do", "show"}, {"run", 0}, {"step", 99}}) == "step 99 is not kept");
  CHECK(ask.error({{"do", "train"}, {"optimizer", "magic"}, {"new", true}})
            .starts_with("optimizer: expected"));
}

TEST_CASE("a training stops where a gradient is not finite") {
  Asked ask;
  ask({{"do", "open"}, {"lesson", 2}});
  const json answer = ask({{"do", "train"}, {"steps", 50}, {"rate", 1e9}});
  CHECK(answer.at("stopped") == true);
  CHECK(answer.at("steps").size() < 50);
}

TEST_CASE("of a long training every second step is let go, so that memory does not grow") {
  live::Training training(std::make_shared<const Trace>(step::scalar_expression()), {.rate = 1e-4});
  for (int i = 0; i < 4500; ++i) training.step();
  CHECK(training.steps().size() == 4501);
  CHECK(training.stride() == 4);
  CHECK(training.at(4).node(8).value.values().item() == training.steps()[4].loss);
  CHECK_THROWS_AS(training.at(1), Error);
}

TEST_CASE("the rules of a large computation are checked when asked for") {
  Asked ask;
  const auto unchecked = [](const json& answer) {
    int64_t count = 0;
    for (const json& node : answer.at("trace").at("nodes"))
      count += node.at("kind") == "op" && !node.contains("verdict");
    return count;
  };
  CHECK(unchecked(ask({{"do", "open"}, {"lesson", 3}})) > 50);
  CHECK(unchecked(ask({{"do", "check"}})) == 0);
}

TEST_CASE(
    "a training ends after so many steps that the page can hold, however long it is left alone") {
  live::Training training(std::make_shared<const Trace>(step::scalar_expression()), {.rate = 0});
  int64_t steps = 0;
  while (training.step()) ++steps;
  CHECK(steps == live::Training::most_steps);
  CHECK(training.is_full());
}

TEST_CASE("a fused op opens into those that define it, and closes again") {
  Asked ask;
  const json outer = ask({{"do", "open"}, {"lesson", 2}});
  CHECK(ask({{"do", "into"}, {"node", 4}}).at("trace").at("nodes").size() > 5);
  CHECK(ask({{"do", "out"}}).at("trace") == outer.at("trace"));
  CHECK(ask.error({{"do", "out"}}) == "nothing is open");
}

TEST_CASE("the translator learns in slices, and translates what one types") {
  Asked ask;
  CHECK(ask.error({{"do", "translate"}, {"text", "We drink tea."}}) ==
        "there is no translator yet: train one first");
  const json first = ask({{"do", "learn"}, {"milliseconds", 0}, {"new", true}});
  CHECK(first.at("step") == 1);
  json last = first;
  for (int i = 0; i < 60 && !last.at("done"); ++i)
    last = ask({{"do", "learn"}, {"milliseconds", 20}});
  CHECK(last.at("loss").get<double>() < first.at("loss").get<double>());
  const json answer = ask({{"do", "translate"}, {"text", "We often drink xylophones."}});
  CHECK(answer.at("words").size() == 5);
  CHECK(answer.at("known") == json{true, true, true, false, true});
  CHECK(answer.at("attention").size() == answer.at("tokens").size());
  CHECK(ask.error({{"do", "translate"}, {"text", " "}}) == "the sentence is empty");
  const json opened = ask({{"do", "open"}, {"lesson", 5}, {"sentence", "We often drink tea."}});
  CHECK(opened.at("trace").at("keys").size() == 5);
}

TEST_CASE("errors are told in the language of the request") {
  Asked ask;
  CHECK(ask.error({{"do", "formula"}, {"text", "x +"}, {"language", "zh"}}) ==
        "末尾应为数字、名字或 (");
  CHECK(ask.error({{"do", "exercises"}, {"text", "title: A\ny\n"}, {"language", "zh"}}) ==
        "练习，第 2 行：应为“键: 值”");
  CHECK(ask.error({{"do", "formula"}, {"text", "x +"}, {"language", "en"}}) ==
        "expected a number, a name or ( at the end");
}

TEST_CASE("what is no request is answered with an error") {
  Asked ask;
  CHECK(json::parse(ask.engine.answer("nonsense")).at("error") == "expected an object");
  CHECK(ask.error({{"do", "nothing"}}) == "there is no 'nothing'");
  CHECK(ask.error({{"do", "set"}, {"node", 0}, {"value", 1}}) == "no lesson is open");
  CHECK(ask.error({{"do", "open"}, {"lesson", "one"}}) ==
        "open: 'lesson' is missing or is no such value");
  CHECK(ask.error({{"do", "open"}, {"lesson", 7}}) == "there are lessons 1 to 6, got 7");
  CHECK(ask.error({{"do", "train"}}) == "no lesson is open");
  CHECK(ask.error({{"do", "learn"}, {"milliseconds", nullptr}}) ==
        "a value of the request is of another type than expected");
  CHECK(ask.error({{"do", "model"}, {"base64", "!!"}}) == "model: expected base64");
}
