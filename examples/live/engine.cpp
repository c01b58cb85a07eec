#include "examples/live/engine.h"

#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/trace/compare.h"
#include "core/trace/verdict.h"
#include "examples/live/chinese.h"
#include "examples/live/exercises.h"
#include "examples/live/expression.h"
#include "examples/live/numbers.h"
#include "examples/live/training.h"
#include "examples/live/translation.h"
#include "examples/step/lessons.h"
#include "examples/step/page.h"
#include "examples/terminal/language.h"

namespace gradus::live {

using terminal::said;

namespace {

using nlohmann::json;
using Shared = std::shared_ptr<const Trace>;

constexpr size_t most_undo = 50, most_runs = 8;
constexpr int quickly_checked = 64;  // nodes

/// The rest of an answer, and the trace that goes with it.
struct Answer {
  json facts = json::object();
  Shared trace, beside;
};

Shared share(Trace trace) { return std::make_shared<const Trace>(std::move(trace)); }

double number_of(const json& value) {
  if (value.is_number()) return value.get<double>();
  static const std::map<std::string, double> others = {
      {"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
  if (value.is_string())
    if (const auto found = others.find(value.get<std::string>()); found != others.end())
      return found->second;
  throw Error(said("expected a number, nan, inf or -inf, got {}", value.dump()));
}

/// The member of a request. Throws Error where it is missing or of another type.
template <class T>
T member(const json& request, const char* name) {
  try {
    return request.at(name).get<T>();
  } catch (const json::exception&) {
    throw Error(said("{}: '{}' is missing or is no such value", request.value("do", ""), name));
  }
}

/// The formula of an elementwise op, as an expression of its inputs, if it computes the op's value.
std::optional<Expression> expression_of(const Trace& trace, const TraceNode& node) {
  if (node.kind != TraceNode::Kind::op || node.inputs.empty() || node.inputs.size() > 8) return {};
  const int count = static_cast<int>(node.inputs.size());
  std::vector<std::string> names;
  std::map<std::string, Tensor> inputs;
  for (int i = 0; i < count; ++i) {
    names.push_back(operand_name(i, count));
    inputs[names.back()] = trace.node(node.inputs[static_cast<size_t>(i)]).value.values();
  }
  try {
    const Expression expression = Expression::parse(node.formula, names);
    if (expression.functions().empty()) return {};
    const NoGrad pause;
    const Tensor value = expression(inputs);
    const Tensor& recorded = node.value.values();
    if (value.shape() != recorded.shape()) return {};
    return largest_difference(value, recorded) < 1e-5 ? std::optional(expression) : std::nullopt;
  } catch (const Error&) {  // a formula of another kind
    return {};
  }
}

/// A function's text, derivative and graph, and what differences say of its derivative.
json described(const Pointwise& f) {
  constexpr int points = 161;
  constexpr double from = -4, to = 4;
  Tensor x = arange(points) * ((to - from) / (points - 1)) + from;
  x = x.detach().require_grad();
  Trace trace;
  Tensor y;
  {
    const auto recording = trace.record();
    y = f(x);
    sum(y).backward();
  }
  std::string result = "unknown";
  for (int n = 0; n < trace.size(); ++n)
    if (trace.node(n).op == f.name()) {
      const Verdict& verdict = check(trace, n);
      result = verdict.result == Verdict::Result::agrees       ? "agrees"
               : verdict.result == Verdict::Result::disagrees  ? "disagrees"
               : verdict.result == Verdict::Result::not_finite ? "not finite"
                                                               : "unknown";
    }
  return {
      {"formula", f.formula()},
      {"derivative", f.derivative(0)},
      {"verdict", result},
      {"plot",
       {{"x", json_of_values(x)}, {"y", json_of_values(y)}, {"slope", json_of_values(x.grad())}}}};
}

json words(const Words& words) { return {{"en", words.en}, {"zh", words.zh}}; }

}  // namespace

class Engine::State {
 public:
  std::string answer(std::string_view text) {
    try {
      const json request = json::parse(text, nullptr, false);
      const bool is_chinese = request.is_object() && request.value("language", json()) == "zh";
      terminal::speak(is_chinese ? &chinese() : nullptr);
      if (!request.is_object()) throw Error(said("expected an object"));
      const auto found = commands().find(member<std::string>(request, "do"));
      if (found == commands().end())
        throw Error(said("there is no '{}'", member<std::string>(request, "do")));
      const Answer answer = (this->*found->second)(request);
      std::string out = answer.facts.dump(-1, ' ', false, json::error_handler_t::replace);
      if (!answer.trace) return out;
      out.pop_back();
      return fmt::format("{}{}\"trace\":{}}}", out, answer.facts.empty() ? "" : ",",
                         step::page_data(*answer.trace, answer.beside.get(), "", true));
    } catch (const json::exception&) {
      return R"({"error":"a value of the request is of another type than expected"})";
    } catch (const std::exception& error) {
      return json{{"error", error.what()}}.dump(-1, ' ', false, json::error_handler_t::replace);
    }
  }

 private:
  using Command = Answer (State::*)(const json&);
  static const std::map<std::string, Command>& commands() {
    static const std::map<std::string, Command> all = {
        {"open", &State::open},
        {"set", &State::set},
        {"undo", &State::undo},
        {"check", &State::check},
        {"into", &State::into},
        {"out", &State::out},
        {"formula", &State::formula},
        {"put", &State::put},
        {"ops", &State::ops},
        {"train", &State::train},
        {"show", &State::show},
        {"learn", &State::learn},
        {"translate", &State::translate},
        {"model", &State::model},
        {"exercises", &State::exercises},
        {"mark", &State::mark_answer},
        {"memory", &State::memory},
    };
    return all;
  }

  const Trace& trace() const {
    if (history_.empty()) throw Error(said("no lesson is open"));
    return *history_.back();
  }

  /// The trace is on the page from now on, `beside` the one before.
  Answer shown(Shared next, const Shared& beside = {}) {
    if (next->size() <= quickly_checked) {
      Trace checked = next->replay(std::map<int, Tensor>());
      gradus::check(checked);
      next = share(std::move(checked));
    }
    history_.push_back(next);
    if (history_.size() > most_undo) history_.erase(history_.begin() + 1);
    return {{{"left", history_.size() - 1}}, std::move(next), beside};
  }

  Answer open(const json& request) {
    const int lesson = member<int>(request, "lesson");
    Trace trace;
    switch (lesson) {
      case 1:
        trace = step::scalar_expression();
        break;
      case 2:
        trace = step::dense_layer();
        break;
      case 3:
        trace = step::lstm_cell();
        break;
      case 4:
        trace = step::scaled_dot_product_attention();
        break;
      case 5:
        trace = step::translation(translator_.trained(),
                                  request.value("sentence", step::LessonOptions().sentence));
        break;
      case 6:
        trace = step::memory_network();
        break;
      default:
        throw Error(said("there are lessons 1 to 6, got {}", lesson));
    }
    history_.clear();
    outer_.clear();
    runs_.clear();
    return shown(share(std::move(trace)));
  }

  Answer set(const json& request) {
    const int node = member<int>(request, "node");
    const Tensor& old = trace().node(node).value.values();
    if (!old.is_float())
      throw Error(said("{}: expected a tensor of floats", trace().description(node)));
    Tensor changed = Tensor::uninitialised(old.shape(), old.dtype());
    changed.assign(old);
    const double value = number_of(request.value("value", json()));
    if (request.contains("element")) {
      const auto element = member<int64_t>(request, "element");
      if (element < 0 || element >= changed.numel())
        throw Error(said("set: expected an element of {}, got {}", changed.numel(), element));
      if (changed.dtype() == DType::float32)
        changed.mutable_data<float>()[element] = static_cast<float>(value);
      else
        changed.mutable_data<double>()[element] = value;
    } else {
      changed.assign(full(old.shape(), value, old.dtype()));
    }
    Shared next = share(trace().replay(node, changed));
    if (request.value("again", false) && history_.size() > 1) history_.pop_back();
    return shown(std::move(next));
  }

  Answer undo(const json&) {
    if (history_.size() < 2) throw Error(said("nothing has been changed"));
    history_.pop_back();
    return {{{"left", history_.size() - 1}}, history_.back(), {}};
  }

  Answer check(const json&) {
    Trace checked = trace().replay(std::map<int, Tensor>());
    gradus::check(checked);
    history_.back() = share(std::move(checked));
    return {json::object(), history_.back(), {}};
  }

  Answer into(const json& request) {
    Shared parts = share(trace().opened(member<int>(request, "node")));
    outer_.push_back(std::exchange(history_, {}));
    return shown(std::move(parts));
  }
  Answer out(const json&) {
    if (outer_.empty()) throw Error(said("nothing is open"));
    history_ = std::move(outer_.back());
    outer_.pop_back();
    return {{{"left", history_.size() - 1}}, history_.back(), {}};
  }

  Answer formula(const json& request) {
    return {
        described(Expression::parse(member<std::string>(request, "text"), {"x"}).pointwise("f")),
        {},
        {}};
  }

  Answer ops(const json&) {
    std::set<std::string> found;
    for (const TraceNode& node : trace().nodes())
      if (const auto expression = expression_of(trace(), node))
        found.merge(expression->functions());
    return {{{"ops", found}}, {}, {}};
  }

  Answer put(const json& request) {
    const auto function = member<std::string>(request, "instead_of");
    const Expression by = Expression::parse(member<std::string>(request, "text"), {"x"});
    std::list<Pointwise> others;
    Trace changed = trace().replay({}, [&](const TraceNode& node) -> const Pointwise* {
      const auto expression = expression_of(trace(), node);
      if (!expression || !expression->functions().contains(function)) return nullptr;
      others.push_back(expression->with(function, by).pointwise(node.op));
      return &others.back();
    });
    if (others.empty()) throw Error(said("this computation calls no {} of one input", function));
    Answer answer = shown(share(std::move(changed)));
    answer.facts["count"] = others.size();
    return answer;
  }

  Answer train(const json& request) {
    if (runs_.empty() || request.value("new", false)) {
      TrainingOptions options;
      options.optimizer = request.value("optimizer", options.optimizer);
      options.rate = request.value("rate", options.rate);
      options.clip = request.value("clip", options.clip);
      options.seed = request.value("seed", options.seed);
      Training run(history_.empty() ? throw Error(said("no lesson is open")) : history_.back(),
                   options);
      if (runs_.size() == most_runs) throw Error(said("there are {} runs already", most_runs));
      runs_.push_back(std::move(run));
    }
    Training& run = runs_.back();
    const auto from =
        request.value("new", false) || run.steps().size() == 1 ? 0 : run.steps().size();
    const bool goes_on = within(request, [&] { return run.step(); });
    json steps = json::array();
    for (size_t i = from; i < run.steps().size(); ++i) {
      const Training::Step& step = run.steps()[i];
      steps.push_back({step.loss, step.gradient_norm, step.weight_norms});
    }
    return {{{"run", runs_.size() - 1},
             {"from", from},
             {"steps", steps},
             {"stride", run.stride()},
             {"names", run.parameter_names()},
             {"stopped", !goes_on},
             {"full", run.is_full()}},
            {},
            {}};
  }

  /// Steps until as many are done or as much time has gone by as was asked for. False when a step
  /// says that there is no next one.
  static bool within(const json& request, const std::function<bool()>& step) {
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::duration<double, std::milli>(request.value("milliseconds", 1e6));
    for (auto left = request.value("steps", int64_t{1} << 40); left > 0; --left) {
      if (!step()) return false;
      if (std::chrono::steady_clock::now() > end) break;
    }
    return true;
  }

  const Training& run_at(size_t number) const {
    if (number >= runs_.size()) throw Error(said("there is no run {}", number));
    return runs_[number];
  }

  Answer show(const json& request) {
    Shared step =
        share(run_at(member<size_t>(request, "run")).at(member<int64_t>(request, "step")));
    Shared beside;
    if (request.contains("beside")) {
      const auto [run, at] = member<std::pair<size_t, int64_t>>(request, "beside");
      beside = share(run_at(run).at(at));
    }
    return shown(std::move(step), beside);
  }

  Answer learn(const json& request) {
    if (request.value("new", false)) translator_.begin();
    const bool goes_on = within(request, [&] { return translator_.step(); });
    const auto& progress = translator_.progress();
    return {
        {{"step", progress.step}, {"of", progress.of}, {"loss", progress.loss}, {"done", !goes_on}},
        {},
        {}};
  }

  Answer translate(const json& request) {
    const Translation result = translator_.translate(member<std::string>(request, "text"));
    return {{{"words", result.words},
             {"tokens", result.tokens},
             {"attention", result.attention},
             {"known", result.known},
             {"text", result.text}},
            {},
            {}};
  }

  Answer model(const json& request) {
    translator_.load(member<std::string>(request, "base64"));
    return {};
  }

  Answer exercises(const json& request) {
    std::vector<Exercise> read =
        read_exercises(request.contains("text") ? member<std::string>(request, "text")
                                                : std::string(exercises_text));
    exercises_ = std::move(read);
    json list = json::array();
    for (const Exercise& e : exercises_) {
      json known = json::object();
      for (const auto& [name, value] : e.known()) known[name] = json_of_values(value);
      list.push_back({{"title", words(e.title)},
                      {"task", words(e.task)},
                      {"hint", words(e.hint)},
                      {"y", e.formula},
                      {"find", e.wanted},
                      {"answer", e.answer},
                      {"known", known}});
    }
    return {{{"exercises", list}}, {}, {}};
  }

  Answer mark_answer(const json& request) {
    const auto number = member<size_t>(request, "number");
    if (number >= exercises_.size()) throw Error(said("there is no exercise {}", number));
    const Marked marked = mark(exercises_[number], member<std::string>(request, "text"));
    return {{{"right", marked.is_right},
             {"hint", words(marked.hint)},
             {"given", json_of_values(marked.given)},
             {"wanted", json_of_values(marked.wanted)}},
            {},
            {}};
  }

  Answer memory(const json&) {
#ifdef __wasm__
    return {{{"bytes", __builtin_wasm_memory_size(0) * size_t{65536}}}, {}, {}};
#else
    throw Error(said("only the engine in a browser knows its memory"));
#endif
  }

  std::vector<Shared> history_;  // as it was recorded, and after each change
  std::vector<std::vector<Shared>> outer_;
  std::vector<Training> runs_;
  LiveTranslator translator_;
  std::vector<Exercise> exercises_;
};

Engine::Engine() : state_(std::make_unique<State>()) {}
Engine::~Engine() = default;

std::string Engine::answer(std::string_view request) { return state_->answer(request); }

}  // namespace gradus::live
