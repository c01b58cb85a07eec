#include "layers/check.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>
#include <unordered_set>

#include "core/fused.h"
#include "core/gradient_check.h"
#include "core/ops.h"
#include "core/safetensors.h"

namespace gradus {

using Verdict = LayerReport::Verdict;
using Finding = LayerReport::Finding;

bool LayerReport::passed() const {
  return std::ranges::none_of(findings, [](auto& f) { return f.verdict == Verdict::failed; });
}

std::string LayerReport::text() const {
  const auto faults =
      std::ranges::count_if(findings, [](auto& f) { return f.verdict == Verdict::failed; });
  std::string text = layer.empty() ? "This function" : layer;
  text += faults == 0   ? " passes.\n"
          : faults == 1 ? " has one thing to mend.\n"
                        : fmt::format(" has {} things to mend.\n", faults);
  for (const Finding& finding : findings)
    text += fmt::format("  {} {}: {}\n",
                        finding.verdict == Verdict::passed   ? "✓"
                        : finding.verdict == Verdict::failed ? "✗"
                                                             : "–",
                        finding.check, finding.words);
  return text;
}

namespace check {

namespace {

Finding passed(std::string words) { return {"", Verdict::passed, std::move(words)}; }
Finding failed(std::string words) { return {"", Verdict::failed, std::move(words)}; }
Finding skipped(std::string words) { return {"", Verdict::skipped, std::move(words)}; }

// --- tensors ------------------------------------------------------------------------------------

/// Tensors of their own, cast where `dtype` says so; those that required a gradient are leaves.
std::vector<Tensor> copies(const std::vector<Tensor>& tensors, std::optional<DType> dtype = {}) {
  std::vector<Tensor> result;
  for (const Tensor& x : tensors) {
    const Tensor same = cast(x.detach(), x.is_float() && dtype ? *dtype : x.dtype());
    const Tensor copy = Tensor::uninitialised(x.shape(), same.dtype());
    copy.assign(same);
    if (x.requires_grad()) copy.require_grad();
    result.push_back(copy);
  }
  return result;
}

Call copy_of(const Call& call, std::optional<DType> dtype = {}) {
  return {copies(call.state, dtype), copies(call.inputs, dtype), call.masks, call.lengths};
}

bool has_axis(const Tensor& x, int axis, int64_t size) {
  return x.rank() > axis && x.shape()[axis] == size;
}

std::string index_text(const Shape& shape, int64_t element) {
  Shape index = shape;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[axis] = element % shape[axis];
    element /= shape[axis];
  }
  return index.text();
}

/// "output 0 at (1, 2) is 0.3 … and 0.5 …", where two lists of outputs differ the most, by more
/// than rounding in float64 explains; empty where they do not. `counts(i, element)` may leave
/// elements out.
template <class Counts>
std::string difference(const std::vector<Tensor>& a, const char* first,
                       const std::vector<Tensor>& b, const char* second, Counts counts) {
  std::string text;
  double largest = 1e-9;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].shape() != b[i].shape())
      return fmt::format("output {} is {} {} and {} {}", i, a[i].shape().text(), first,
                         b[i].shape().text(), second);
    const auto x = a[i].to_vector<double>(), y = b[i].to_vector<double>();
    for (size_t k = 0; k < x.size(); ++k) {
      const double apart = std::abs(x[k] - y[k]) / (1 + std::abs(x[k]));
      if (apart <= largest || x[k] == y[k] || (std::isnan(x[k]) && std::isnan(y[k])) ||
          !counts(a[i], static_cast<int64_t>(k)))
        continue;
      largest = std::isnan(apart) ? INFINITY : apart;
      text =
          fmt::format("output {} at {} is {:.6g} {} and {:.6g} {}", i,
                      index_text(a[i].shape(), static_cast<int64_t>(k)), x[k], first, y[k], second);
    }
  }
  return text;
}

/// The first element of which two lists of tensors have other bits, in words; empty if none.
std::string other_bits(const std::vector<Tensor>& a, const char* first,
                       const std::vector<Tensor>& b, const char* second) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].shape() != b[i].shape())
      return fmt::format("{} {} and {} {}", a[i].shape().text(), first, b[i].shape().text(),
                         second);
    const auto x = a[i].to_vector<double>(), y = b[i].to_vector<double>();
    for (size_t k = 0; k < x.size(); ++k)
      if (std::memcmp(&x[k], &y[k], sizeof(double)) != 0)
        return fmt::format("{} is {:.9g} {} and {:.9g} {}",
                           index_text(a[i].shape(), static_cast<int64_t>(k)), x[k], first, y[k],
                           second);
  }
  return "";
}

// --- the checks ---------------------------------------------------------------------------------

class Checks {
 public:
  explicit Checks(const Subject& subject) : subject_(subject) {
    for (size_t i = 0; i < subject.names.size(); ++i)
      if (subject.call.state[i].requires_grad()) trained_.push_back(i);
  }

  Finding can_be_called() const {
    std::vector<Tensor> outputs;
    try {
      Call call = copy_of(subject_.call);
      outputs = subject_.run(call, 1);
    } catch (const std::exception& error) {
      return failed(fmt::format("with these inputs it throws: {}", error.what()));
    }
    if (outputs.empty()) return failed("it gives no tensor");
    std::string shapes;
    for (const Tensor& output : outputs)
      shapes += (shapes.empty() ? "" : ", ") + output.shape().text();
    return passed("gives " + shapes);
  }

  Finding can_be_called_in_float64() const {
    try {
      Call call = copy_of(subject_.call, DType::float64);
      subject_.run(call, 1);
    } catch (const std::exception& error) {
      return failed(fmt::format(
          "derivatives, batch and padding are checked in float64, in which it throws: {}. Make the "
          "tensors that the layer needs in the dtype of its input, zeros(shape, x.dtype()), and "
          "name those that it keeps in parameters(): then they are cast",
          error.what()));
    }
    return passed("");
  }

  Finding derivatives(bool second) const {
    const Call call = copy_of(subject_.call, DType::float64);
    std::vector<Tensor> inputs;
    std::vector<std::string> names;
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      if (!call.inputs[i].is_float()) continue;
      inputs.push_back(call.inputs[i]);
      names.push_back(fmt::format("input {}", i));
    }
    for (size_t i : trained_) {
      inputs.push_back(call.state[i]);
      names.push_back(fmt::format("'{}'", subject_.names[i]));
    }
    if (inputs.empty()) return skipped("there is nothing to differentiate in");
    const TensorFunction f = [&](const std::vector<Tensor>&) {  // they are the call's own
      Call once{call.state, call.inputs, call.masks, call.lengths};
      for (size_t i = 0; i < once.state.size(); ++i)  // state starts anew, parameters are shared
        if (!once.state[i].requires_grad()) once.state[i] = copies({once.state[i]})[0];
      std::vector<Tensor> flat;
      for (const Tensor& x : subject_.run(once, 1))
        if (x.is_float()) flat.push_back(reshape(contiguous(x), {-1}));
      if (flat.empty()) throw Error("it gives integers only");
      return concat(flat, 0);
    };
    const Mismatch worst =
        second ? second_order_mismatch(f, inputs) : first_order_mismatch(f, inputs);
    int64_t count = 0;
    for (const Tensor& x : inputs) count += x.numel();
    if (worst.tolerances <= 1)
      return passed(fmt::format("agree with finite differences, in {} numbers", count));

    const bool in_gradient = worst.input == inputs.size();
    const std::string where =
        in_gradient ? "the incoming gradient"
                    : fmt::format("{} at {}", names[worst.input],
                                  index_text(inputs[worst.input].shape(), worst.element));
    return failed(fmt::format("in {} it says {:.6g}, finite differences say {:.6g}. {}", where,
                              worst.analytic, worst.numeric, advice(worst, second)));
  }

  Finding parameters() const {
    Call call = copy_of(subject_.call);
    for (const Tensor& x : call.inputs)
      if (x.is_float()) x.require_grad();
    const std::vector<Tensor> before = call.state, outputs = subject_.run(call, 1);
    auto is_among = [](const std::vector<Tensor>& tensors, const Tensor& leaf) {
      return std::ranges::any_of(tensors, [&](auto& x) { return x.node() == leaf.node(); });
    };
    std::string faults;
    auto fault = [&](const std::string& text) { faults += (faults.empty() ? "" : "; ") + text; };
    for (size_t i = 0; i < call.state.size(); ++i)
      if (!before[i].requires_grad() && call.state[i].requires_grad())
        fault(
            fmt::format("'{}' now belongs to the recorded computation: detach() what the layer "
                        "keeps for the next call",
                        subject_.names[i]));
    for (const Tensor& leaf : leaves(outputs))
      if (!is_among(before, leaf) && !is_among(call.inputs, leaf))
        fault(
            fmt::format("the output depends on a tensor {} that requires a gradient but that "
                        "parameters() does not name: it would be neither trained nor saved",
                        leaf.shape().text()));
    const std::vector<Tensor> gradients = gradients_of(outputs, before);
    for (size_t k = 0; k < trained_.size(); ++k) {
      const size_t i = trained_[k];
      if (!is_among(leaves(outputs), before[i]))
        fault(
            fmt::format("'{}' gets no gradient: the output was not computed from it, or was cut "
                        "off by detach()",
                        subject_.names[i]));
      else if (before[i].numel() > 0 && max(abs(gradients[k])).item() == 0)
        fault(
            fmt::format("the gradient of '{}' is 0 in every element: its value makes no "
                        "difference for these inputs",
                        subject_.names[i]));
    }
    if (!faults.empty()) return failed(faults);
    if (trained_.empty()) return skipped("there are none to train");
    return passed(trained_.size() == 1
                      ? fmt::format("'{}' gets a gradient", subject_.names[trained_[0]])
                      : fmt::format("all {} get a gradient", trained_.size()));
  }

  Finding composition() const {
    Call fast = copy_of(subject_.call, DType::float64), slow = copy_of(fast);
    const std::vector<Tensor> outputs = subject_.run(fast, 1);
    const Composed of_other_ops;
    const std::string text = difference(outputs, "in one pass", subject_.run(slow, 1), "composed",
                                        [](const Tensor&, int64_t) { return true; });
    if (!text.empty())
      return failed(fmt::format("a fused op and the composition that defines it differ: {}", text));
    return passed("");
  }

  Finding batch() const {
    if (subject_.is_random) return skipped("rows draw other random numbers than alone");
    Call together = copy_of(subject_.call, DType::float64);
    const int64_t size = batch_size(together);
    if (size < 2) return skipped("give two rows or more to have them compared");
    const Call before = copy_of(together);
    const std::vector<Tensor> outputs = subject_.run(together, 1);
    if (std::ranges::none_of(outputs, [&](auto& x) { return has_axis(x, 0, size); }))
      return skipped(fmt::format("no output has an axis of {} rows first", size));
    for (int64_t b = 0; b < size; ++b) {
      auto row = [&](const Tensor& x) { return has_axis(x, 0, size) ? slice(x, 0, b, b + 1) : x; };
      Call alone = copy_of(before);
      for (Tensor& x : alone.inputs) x = copies({row(x)})[0];
      for (Mask& mask : alone.masks)
        if (mask.defined()) mask = Mask::attend(row(mask.attended()));
      for (auto& lengths : alone.lengths)
        if (static_cast<int64_t>(lengths.size()) == size)
          lengths = {lengths[static_cast<size_t>(b)]};
      const std::vector<Tensor> mine = subject_.run(alone, 1);
      std::vector<Tensor> expected;
      for (const Tensor& x : outputs) expected.push_back(row(x));
      for (size_t i = 0; i < outputs.size(); ++i)
        if (!has_axis(outputs[i], 0, size)) expected[i] = mine[i];
      const std::string text = difference(expected, "in its batch", mine, "alone",
                                          [](const Tensor&, int64_t) { return true; });
      if (!text.empty())
        return failed(
            fmt::format("of row {}, {}. Rows must not look at each other: does an op reduce or "
                        "reshape over the first axis?",
                        b, text));
    }
    return passed(fmt::format("each of {} rows gives alone what it gives in its batch", size));
  }

  Finding padding() const {
    if (subject_.is_random) return skipped("padding would change which random numbers are drawn");
    const Call before = copy_of(subject_.call, DType::float64);
    const int64_t batch = batch_size(before);
    const Tensor attended = attended_positions(before, batch);
    if (!attended.defined()) return skipped("it was given no mask (batch, time) and no lengths");
    const int64_t time = attended.shape()[1];
    const std::vector<double> takes_part = attended.to_vector<double>();
    auto is_sequence = [&](const Tensor& x) {
      return has_axis(x, 0, batch) && has_axis(x, 1, time);
    };
    auto counts = [&](const Tensor& x, int64_t element) {
      return !is_sequence(x) ||
             takes_part[static_cast<size_t>(element / (x.numel() / (batch * time)))] != 0;
    };
    Call call = copy_of(before);
    const std::vector<Tensor> outputs = subject_.run(call, 1);
    for (const int64_t more : {0, 3}) {
      Call padded = copy_of(before);
      for (Tensor& x : padded.inputs)
        if (is_sequence(x)) x = repadded(x, takes_part, time, more);
      for (Mask& mask : padded.masks) {
        if (!mask.defined() || mask.shape().back() != time) continue;
        Tensor ones = pad(mask.attended(), -1, 0, more);
        if (ones.rank() == 3 && ones.shape()[1] == time) ones = pad(ones, 1, 0, more);
        mask = Mask::attend(ones);
      }
      std::vector<Tensor> trimmed = subject_.run(padded, 1);
      for (size_t i = 0; i < outputs.size(); ++i)
        for (int axis = 0; axis < trimmed[i].rank() && trimmed[i].rank() == outputs[i].rank();
             ++axis)
          trimmed[i] = slice(trimmed[i], axis, 0,
                             std::min(trimmed[i].shape()[axis], outputs[i].shape()[axis]));
      const std::string text =
          difference(outputs, "at first", trimmed,
                     more ? "with three more positions of it" : "with other numbers there", counts);
      if (!text.empty())
        return failed(
            fmt::format("the padding shows: {}. Ignore it before every sum, mean, maximum or "
                        "softmax over time: fill_ignored(x, mask, 0)",
                        text));
    }
    return passed("neither its numbers nor its length change anything");
  }

  Finding save_and_load() const {
    for (size_t i = 0; i < subject_.names.size(); ++i)
      for (size_t k = 0; k < i; ++k)
        if (subject_.names[i] == subject_.names[k])
          return failed(fmt::format("two tensors are named '{}': a file can hold one of them",
                                    subject_.names[i]));
    // A layer that was called and trained, then another one that gets its file.
    Call trained = copy_of(subject_.call);
    subject_.run(trained, 1);
    for (size_t i = 0; i < trained.state.size(); ++i)
      if (trained.state[i].dtype() == DType::float32 && subject_.call.state[i].requires_grad())
        for (float& x : contiguous(trained.state[i].detach()).span<float>()) x = x * 0.75f + 0.01f;
    Call used = copy_of(subject_.call);
    used.state = copies(trained.state);
    Call expected = copy_of(used);
    const std::vector<Tensor> second = subject_.run(expected, 2);
    subject_.run(used, 1);
    TensorFile file;
    for (size_t i = 0; i < used.state.size(); ++i)
      file.tensors[subject_.names[i]] = used.state[i].detach();
    const std::string path =
        (std::filesystem::temp_directory_path() /
         fmt::format("gradus-check-{}-{}.safetensors", getpid(), static_cast<const void*>(this)))
            .string();
    save_tensors(path, file);
    file = load_tensors(path);
    std::filesystem::remove(path);
    Call loaded = copy_of(subject_.call);
    std::map<std::string, Tensor> into;
    for (size_t i = 0; i < loaded.state.size(); ++i) into[subject_.names[i]] = loaded.state[i];
    copy_by_name(file.tensors, into);
    const std::string text = other_bits(second, "in the layer that was saved",
                                        subject_.run(loaded, 1), "in the one that was loaded");
    if (!text.empty())
      return failed(
          fmt::format("the output at {}. The layer keeps something that parameters() does "
                      "not name",
                      text));
    return passed("a loaded copy goes on with the same bits");
  }

  Finding same_bits() const {
    auto once = [&] {
      Call call = copy_of(subject_.call);
      for (const Tensor& x : call.inputs)
        if (x.is_float()) x.require_grad();
      const Call given = call;
      std::vector<Tensor> wrt, all = subject_.run(call, 1);
      for (const Tensor& x : given.inputs)
        if (x.is_float()) wrt.push_back(x);
      for (size_t i : trained_) wrt.push_back(given.state[i]);
      const std::vector<Tensor> gradients = gradients_in(all, wrt);
      all.insert(all.end(), gradients.begin(), gradients.end());
      return all;
    };
    const std::vector<Tensor> first = once();
    const std::string text = other_bits(first, "the first time", once(), "the second time");
    if (!text.empty())
      return failed(
          fmt::format("the output or a gradient at {}, with the same inputs. Take "
                      "randomness from a Generator that is handed in",
                      text));
    return passed("twice, in outputs and gradients");
  }

  Finding shape_errors() const {
    int refused = 0;
    std::string quoted;
    for (size_t i = 0; i < subject_.call.inputs.size(); ++i) {
      const Tensor& x = subject_.call.inputs[i];
      if (!x.is_float() || x.rank() < 1) continue;
      const int64_t size = x.shape().back();
      bool one_more_is_refused = false;
      for (const int64_t wrong : {size + 1, int64_t{1}}) {
        if (wrong == size) continue;
        const Shape shape = x.shape().with(x.rank() - 1, wrong);
        const std::string what =
            fmt::format("input {} of {} instead of {}", i, shape.text(), x.shape().text());
        Call call = copy_of(subject_.call);
        for (size_t k = 0; k < call.state.size(); ++k)
          if (call.state[k].requires_grad()) call.state[k].set_name(subject_.names[k]);
        call.inputs[i] = full(shape, 0.5, x.dtype());
        try {
          subject_.run(call, 1);
          if (wrong == 1 && one_more_is_refused)
            return failed(
                fmt::format("{} is taken without a word: broadcasting stretches it. "
                            "Compare sizes before computing",
                            what));
        } catch (const Error& error) {
          if (!is_named_in(error.what()))
            return failed(
                fmt::format("{} gives \"{}\", which does not say in which layer. Check "
                            "shapes first, and begin with \"{}: \"",
                            what, error.what(), layer_name()));
          one_more_is_refused = wrong > 1;
          if (refused++ == 0) quoted = error.what();
        } catch (const std::exception& error) {
          return failed(fmt::format("{} throws not an Error but \"{}\"", what, error.what()));
        }
      }
    }
    if (refused == 0) return skipped("it takes every size");
    return passed(fmt::format("a wrong size gives \"{}\"", quoted));
  }

 private:
  static std::string advice(const Mismatch& m, bool second) {
    if (std::isnan(m.numeric)) return "The output is no number there: choose other inputs";
    if (std::isnan(m.analytic)) return "Does the rule divide by zero, or take 0 · ∞?";
    if (m.analytic == 0)
      return second ? "The gradient is cut off from its own gradient: a rule is made of ops on "
                      "b.inputs, b.output and b.gradient, and of nothing detached"
                    : "The gradient is lost on the way: by detach(), under NoGrad, or in a rule "
                      "that leaves this input out";
    if (m.numeric == 0) return "The output does not change with it, so no gradient belongs there";
    const double ratio = m.analytic / m.numeric;
    if (std::abs(ratio + 1) < 1e-4) return "The sign is turned round";
    if (std::abs(ratio - std::round(ratio)) < 1e-4 && std::round(ratio) != 1)
      return fmt::format("That is {} times as much", std::round(ratio));
    if (std::abs(1 / ratio - std::round(1 / ratio)) < 1e-4 && std::round(1 / ratio) != 1)
      return fmt::format("It should be {} times as much", std::round(1 / ratio));
    return second ? "The rule is right, but its own gradient is not: look at the rules behind it"
                  : "Derive the rule again, and see that each number ends up in its own place";
  }

  static std::vector<Tensor> leaves(const std::vector<Tensor>& outputs) {
    std::vector<Tensor> found, waiting = outputs;
    std::unordered_set<const Node*> seen;
    while (!waiting.empty()) {
      const Tensor x = waiting.back();
      waiting.pop_back();
      if (!x.requires_grad() || !seen.insert(x.node().get()).second) continue;
      if (x.node()->inputs.empty()) found.push_back(x);
      waiting.insert(waiting.end(), x.node()->inputs.begin(), x.node()->inputs.end());
    }
    return found;
  }

  static std::vector<Tensor> gradients_in(const std::vector<Tensor>& outputs,
                                          const std::vector<Tensor>& wrt) {
    std::vector<Tensor> differentiable, seeds;
    for (const Tensor& x : outputs) {
      if (!x.requires_grad()) continue;
      differentiable.push_back(x);
      seeds.push_back(cast(irregular(x.shape(), 0), x.dtype()));
    }
    return grad(differentiable, wrt, {.keep_graph = true, .zero_if_unreached = true}, seeds);
  }
  std::vector<Tensor> gradients_of(const std::vector<Tensor>& outputs,
                                   const std::vector<Tensor>& state) const {
    std::vector<Tensor> wrt;
    for (size_t i : trained_) wrt.push_back(state[i]);
    return gradients_in(outputs, wrt);
  }

  static int64_t batch_size(const Call& call) {
    return call.inputs.empty() || call.inputs[0].rank() == 0 ? 0 : call.inputs[0].shape()[0];
  }

  /// (batch, time) of ones where a mask or the lengths let a position take part.
  static Tensor attended_positions(const Call& call, int64_t batch) {
    for (const Mask& mask : call.masks) {
      if (!mask.defined()) continue;
      Tensor attended = mask.attended();
      if (attended.rank() == 3) attended = max(attended, {1});  // by any query
      if (attended.rank() == 2 && attended.shape()[0] == batch) return attended;
    }
    for (const auto& lengths : call.lengths)
      if (static_cast<int64_t>(lengths.size()) == batch && call.inputs[0].rank() > 1)
        return Mask::lengths(lengths, call.inputs[0].shape()[1]).attended();
    return {};
  }

  /// x (batch, time, …) with other contents where nobody looks, and more of it behind.
  static Tensor repadded(const Tensor& x, const std::vector<double>& takes_part, int64_t time,
                         int64_t more) {
    const Tensor result = contiguous(pad(x.detach(), 1, 0, more));
    const int64_t batch = x.shape()[0], inner = x.numel() / std::max<int64_t>(1, batch * time);
    dispatch(x.dtype(), [&](auto element) {
      using T = decltype(element);
      const std::vector<T> some = x.template to_vector<T>();
      T* values = result.template data<T>();
      for (int64_t b = 0; b < batch; ++b)
        for (int64_t t = 0; t < time + more; ++t)
          for (int64_t k = 0; k < inner; ++k) {
            if (t < time && takes_part[static_cast<size_t>(b * time + t)] != 0) continue;
            const auto at = static_cast<size_t>((b * (time + more) + t) * inner + k);
            const T other = some[(at * 7 + 3) % some.size()];  // ids stay ids
            values[at] = std::is_floating_point_v<T> ? 10 + 5 * other : other;
          }
    });
    return result;
  }

  /// As the field writes it in errors: LayerNorm is layer_norm, LSTM is lstm.
  std::string layer_name() const {
    std::string name;
    const std::string& type = subject_.layer;
    for (size_t i = 0; i < type.size(); ++i) {
      const bool begins = i > 0 && std::isupper(type[i]) && std::islower(type[i - 1]);
      name += begins ? "_" : "";
      name += static_cast<char>(std::tolower(type[i]));
    }
    return name;
  }
  bool is_named_in(const std::string& message) const {
    return message.find(layer_name()) != std::string::npos ||
           std::ranges::any_of(subject_.names, [&](const std::string& name) {
             return message.find("'" + name + "'") != std::string::npos;
           });
  }

  const Subject& subject_;
  std::vector<size_t> trained_;  // of the call's state
};

}  // namespace

LayerReport report(const Subject& subject) {
  LayerReport result{subject.layer, {}};
  const Checks checks(subject);
  auto run = [&](const char* name, auto check) {
    Finding finding;
    try {
      finding = check();
    } catch (const std::exception& error) {
      finding = failed(fmt::format("it throws: {}", error.what()));
    }
    finding.check = name;
    result.findings.push_back(finding);
    return finding.verdict != Verdict::failed;
  };
  if (!run("call", [&] { return checks.can_be_called(); })) return result;
  run("parameters", [&] { return checks.parameters(); });
  if (run("float64", [&] { return checks.can_be_called_in_float64(); })) {
    result.findings.pop_back();  // worth a line only where it fails, as "fused ops" below
    if (run("first derivatives", [&] { return checks.derivatives(false); }))
      run("second derivatives", [&] { return checks.derivatives(true); });
    if (run("fused ops", [&] { return checks.composition(); })) result.findings.pop_back();
    run("batch", [&] { return checks.batch(); });
    run("padding", [&] { return checks.padding(); });
  }
  run("save and load", [&] { return checks.save_and_load(); });
  run("same bits", [&] { return checks.same_bits(); });
  run("shape errors", [&] { return checks.shape_errors(); });
  return result;
}

}  // namespace check

}  // namespace gradus
